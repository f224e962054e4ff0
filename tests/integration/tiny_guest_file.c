/* tiny_guest_file FILE: writes the guest of tiny_guest.S. */
#include <stdint.h>
#include <stdio.h>

extern const uint8_t tiny_guest[], tiny_guest_end[];

int
main(int argc, char **argv)
{
	size_t len = (size_t)(tiny_guest_end - tiny_guest);
	FILE *file = argc == 2 ? fopen(argv[1], "w") : NULL;

	if (file == NULL || fwrite(tiny_guest, 1, len, file) != len || fclose(file) != 0) {
		perror("tiny_guest_file");
		return 1;
	}
	return 0;
}
