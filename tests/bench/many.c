/* SPDX-License-Identifier: MIT */
/*
 * many - copies through two mounts, many at once, a thread each.
 *
 *     many send SOURCE DIRECTORY COUNT    writes COUNT equal parts of SOURCE to DIRECTORY/part0000,
 *                                         part0001, ...; the clock runs from when all are open to
 *                                         when all are closed; prints a line of JSON
 *     many receive SOURCE MOUNT COUNT     prints "ready", follows MOUNT/incoming, reads COUNT such
 *                                         streams to their end, and compares; then "ok"
 *
 * cp, a thousand times, would measure how fast processes start.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (128 * 1024)
#define COPY_BYTES  (64 * 1024)

struct part {
	pthread_t thread;
	char path[4096];
	int fd;
	const char *data;
	size_t length;
};

static pthread_barrier_t all_open;

static void die(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("many: ", stderr);
	vfprintf(stderr, format, arguments);
	fprintf(stderr, ": %s\n", strerror(errno));
	va_end(arguments);
	exit(1);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *send_part(void *argument)
{
	struct part *part = argument;
	part->fd = open(part->path, O_WRONLY | O_CREAT, 0600);
	if (part->fd < 0) {
		die("%s", part->path);
	}
	pthread_barrier_wait(&all_open);
	for (size_t at = 0; at < part->length;) {
		size_t left = part->length - at;
		ssize_t put =
			write(part->fd, part->data + at, left < COPY_BYTES ? left : COPY_BYTES);
		if (put < 0) {
			die("writing %s", part->path);
		}
		at += (size_t)put;
	}
	if (close(part->fd)) {
		die("closing %s", part->path);
	}
	return NULL;
}

static void *receive_part(void *argument)
{
	struct part *part = argument;
	part->fd = open(part->path, O_RDONLY);
	char *data = malloc(COPY_BYTES);
	if (part->fd < 0 || !data) {
		die("%s", part->path);
	}
	size_t at = 0;
	ssize_t got;
	while ((got = read(part->fd, data, COPY_BYTES)) > 0) {
		if ((size_t)got > part->length - at ||
		    memcmp(data, part->data + at, (size_t)got) != 0) {
			errno = EILSEQ;
			die("%s is not what was sent", part->path);
		}
		at += (size_t)got;
	}
	if (got < 0 || at < part->length) {
		die("%s ended after %zu bytes", part->path, at);
	}
	close(part->fd);
	free(data);
	return NULL;
}

static void start(struct part *part, void *(*body)(void *))
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (pthread_create(&part->thread, &attributes, body, part)) {
		die("no thread");
	}
	pthread_attr_destroy(&attributes);
}

static void run_send(struct part *parts, size_t count, size_t bytes, const char *directory)
{
	pthread_barrier_init(&all_open, NULL, (unsigned)count + 1);
	double started = now();
	for (size_t i = 0; i < count; i++) {
		snprintf(parts[i].path, sizeof(parts[i].path), "%s/part%04zu", directory, i);
		start(&parts[i], send_part);
	}
	pthread_barrier_wait(&all_open);
	double opened = now();
	for (size_t i = 0; i < count; i++) {
		pthread_join(parts[i].thread, NULL);
	}
	printf("{\"bytes\": %zu, \"open_seconds\": %.6f, \"seconds\": %.6f}\n", bytes,
	       opened - started, now() - opened);
}

static void run_receive(struct part *parts, size_t count, const char *mount)
{
	char line[4096];
	snprintf(line, sizeof(line), "%s/incoming", mount);
	FILE *incoming = fopen(line, "r");
	if (!incoming) {
		die("%s", line);
	}
	puts("ready");
	fflush(stdout);
	for (size_t left = count; left > 0; left--) {
		if (!fgets(line, sizeof(line), incoming)) {
			die("incoming");
		}
		line[strcspn(line, "\n")] = '\0';
		const char *name = strrchr(line, '/');
		size_t number;
		if (!name || sscanf(name, "/part%4zu", &number) != 1 || number >= count) {
			die("a stream of somebody else: %s", line);
		}
		struct part *part = &parts[number];
		snprintf(part->path, sizeof(part->path), "%s/%.2048s", mount, line);
		start(part, receive_part);
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(parts[i].thread, NULL);
	}
	puts("ok");
}

int main(int argc, char **argv)
{
	size_t count;
	if (argc != 5 || (count = strtoul(argv[4], NULL, 10)) == 0 || count > 10000) {
		fputs("usage: many send SOURCE DIRECTORY COUNT | many receive SOURCE MOUNT COUNT\n",
		      stderr);
		return 2;
	}
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	int fd = open(argv[2], O_RDONLY);
	struct stat about;
	if (fd < 0 || fstat(fd, &about)) {
		die("%s", argv[2]);
	}
	size_t bytes = (size_t)about.st_size;
	const char *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	struct part *parts = calloc(count, sizeof(*parts));
	if (data == MAP_FAILED || !parts) {
		die("memory");
	}
	for (size_t i = 0; i < count; i++) {
		parts[i].length = bytes / count;
		parts[i].data = data + i * parts[i].length;
	}
	if (strcmp(argv[1], "send") == 0) {
		run_send(parts, count, bytes, argv[3]);
	} else {
		run_receive(parts, count, argv[3]);
	}
	free(parts);
	return 0;
}
