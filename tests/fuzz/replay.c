/*
 * Replays a fuzz target's corpus without libFuzzer: every file of the folders named on the command
 * line goes through LLVMFuzzerTestOneInput once. Prints TAP; a crash ends the program, which the
 * runner counts as a failure.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned
replay_folder(const char *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;
	unsigned count = 0;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_autofree char *data = NULL;
		gsize len;

		if (!g_file_get_contents(path, &data, &len, NULL))
			continue;
		LLVMFuzzerTestOneInput((const uint8_t *)data, len);
		count++;
	}
	return count;
}

int
main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_folder(argv[i]);
	printf("%s 1 - corpus_of_%u_inputs_replays\n", count > 0 ? "ok" : "not ok", count);
	printf("1..1\n");
	return count > 0 ? 0 : 1;
}
