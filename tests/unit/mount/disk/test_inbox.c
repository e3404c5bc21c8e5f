/* SPDX-License-Identifier: MIT */
/*
 * What an inbox counts while its files change, between the moment when readdir finds a name and
 * the moment when the file of that name is looked at.
 */
#define _GNU_SOURCE /* RTLD_NEXT */

#include "mount/disk/claim.h"
#include "mount/disk/inbox.h"
#include "mount/disk/part_file.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/inbox-XXXXXX";

/* A file that is received; and what happens to it when readdir has found f.part. */
struct scene {
	struct inbox *inbox;
	struct part_file file;
	struct claim claim;
	void (*meanwhile)(struct scene *scene);
};

static struct scene scene;

/* In place of libc's, whatever the size of off_t. */
struct dirent *readdir(DIR *stream)
{
	static struct dirent *(*real)(DIR *);
	void (*happens)(struct scene *) = scene.meanwhile;
	if (!real) {
		*(void **)&real = dlsym(RTLD_NEXT, "readdir64");
	}
	struct dirent *entry = real(stream);
	if (happens && entry && strcmp(entry->d_name, "f.part") == 0) {
		scene.meanwhile = NULL;
		happens(&scene);
	}
	return entry;
}

static int start(void **state)
{
	int error;
	*state = &scene;
	scene = (struct scene){0};
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(mkdir("a@x", 0700), 0);
	/* Full by two files. */
	scene.inbox = inbox_create(directory, (struct usage){.files = 3}, false, &error);
	assert_non_null(scene.inbox);
	claim_init(&scene.claim, &scene.inbox->quota);
	part_file_init(&scene.file, "f");
	scene.file.directory = open("a@x", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(claim_reserve(&scene.claim, 1), 0);
	assert_int_equal(part_file_create(&scene.file, "f"), 0);
	claim_spend(&scene.claim, 0);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	claim_finish(&scene.claim);
	part_file_finish(&scene.file);
	inbox_destroy(scene.inbox);
	unlink("a@x/f");
	unlink("a@x/f.part");
	unlink("a@x/other");
	rmdir("a@x");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
	memcpy(strchr(directory, '-') + 1, "XXXXXX", 6);
	return 0;
}

static void add_other(struct claim *claim)
{
	claim_init(claim, &scene.inbox->quota);
	assert_int_equal(claim_reserve(claim, 1), 0);
	close(open("a@x/other", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	claim_spend(claim, 0);
}

/* As download_file.c has it. */
static void get_name(struct scene *changed)
{
	claim_begin_change(&changed->claim);
	assert_int_equal(part_file_rename(&changed->file), 0);
	claim_keep(&changed->claim);
}

static void remove_it(struct scene *changed)
{
	assert_int_equal(inbox_remove(changed->inbox, "a@x/f.part"), 0);
}

/* Reserves one more file, and counts for that, in the middle of which it happens. */
static int reserve_while(void (*meanwhile)(struct scene *), struct claim *claim)
{
	claim_init(claim, &scene.inbox->quota);
	scene.meanwhile = meanwhile;
	int error = claim_reserve(claim, 1);
	assert_null(scene.meanwhile);
	return error;
}

/* The count finds neither f.part nor f. */
static void test_named_while_counted(void **state)
{
	struct claim other, third;
	(void)state;
	add_other(&other);
	assert_int_equal(reserve_while(get_name, &third), -EDQUOT);
	assert_int_equal(quota_counts(&scene.inbox->quota), 1);
	assert_int_equal(access("a@x/f", F_OK), 0);
	claim_finish(&other);
}

/* Room that was made by hand is found in spite of that, but for one file. */
static void test_room_while_counted(void **state)
{
	struct claim other, third;
	(void)state;
	add_other(&other);
	assert_int_equal(unlink("a@x/other"), 0);
	assert_int_equal(reserve_while(get_name, &third), 0);
	assert_int_equal(quota_counts(&scene.inbox->quota), 1);
	assert_int_equal(scene.inbox->quota.used.files, 3);
	claim_finish(&third);
	claim_finish(&other);
}

/* What is removed meanwhile gives room for one file, and not for two. */
static void test_removed_while_counted(void **state)
{
	struct claim other, third;
	(void)state;
	add_other(&other);
	assert_int_equal(reserve_while(remove_it, &third), 0);
	assert_int_equal(scene.inbox->quota.used.files, 3);
	claim_finish(&third);
	claim_finish(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_named_while_counted, start, finish),
		cmocka_unit_test_setup_teardown(test_room_while_counted, start, finish),
		cmocka_unit_test_setup_teardown(test_removed_while_counted, start, finish),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
