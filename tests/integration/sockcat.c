/*
 * sockcat SOCKET - stdin to a unix stream socket, then its answer to stdout; for scenario scripts.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
copy(int from, int to)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(from, chunk, sizeof(chunk))) > 0) {
		if (write(to, chunk, (size_t)n) != n)
			return -1;
	}
	return (int)n;
}

int
main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (argc != 2 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 1;
	if (copy(STDIN_FILENO, fd) < 0 || shutdown(fd, SHUT_WR) < 0 || copy(fd, STDOUT_FILENO) < 0)
		return 1;
	return 0;
}
