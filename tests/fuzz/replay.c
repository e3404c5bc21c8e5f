/* SPDX-License-Identifier: MIT */
/*
 * replay - runs a fuzz target over every file of the folders and files that are named, in order,
 * without libFuzzer.
 *
 *     fuzz_NAME CORPUS...
 *
 * Fails if there is no file, so that a moved corpus does not pass.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static unsigned long count;

static void fail(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	exit(2);
}

static void replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(size > 0 ? size : 1);
	if (!file || !bytes || fread(bytes, 1, size, file) != size) {
		fail(path);
	}
	fclose(file);
	/* The last line of the output names the file that a target aborted on. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	count++;
}

static void replay(const char *path)
{
	struct stat status;
	if (stat(path, &status)) {
		fail(path);
	}
	if (!S_ISDIR(status.st_mode)) {
		replay_file(path, (size_t)status.st_size);
		return;
	}
	struct dirent **entries;
	int length = scandir(path, &entries, NULL, alphasort);
	if (length < 0) {
		fail(path);
	}
	for (int i = 0; i < length; i++) {
		char inner[4096];
		snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.') {
			replay(inner);
		}
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		replay(argv[i]);
	}
	if (count == 0) {
		fprintf(stderr, "replay: no file to run\n");
		return 2;
	}
	printf("%lu files\n", count);
	return 0;
}
