/* SPDX-License-Identifier: MIT */
/* location, with a hub that knows one part at most. */
#include "mount/disk/location.h"
#include "mount/disk/one_part.h"
#include "mount/disk/room.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TEMPLATE "/tmp/location-XXXXXX"

static char directory[sizeof(TEMPLATE)];

static struct inbox *start(uint64_t max_files)
{
	int error;
	strcpy(directory, TEMPLATE);
	hub_has_part = false;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	struct inbox *inbox =
		inbox_create(directory, (struct usage){.files = max_files}, false, &error);
	assert_non_null(inbox);
	return inbox;
}

static void finish(struct inbox *inbox)
{
	inbox_destroy(inbox);
	assert_int_equal(chdir("/"), 0);
	rmdir(directory);
}

/* A file that a contact sends. */
struct arrival {
	struct location location;
	struct claim claim;
	struct part_file file;
};

/* It has its place, but no directory yet. */
static void reserve(struct arrival *arrival, struct inbox *inbox, const char *contact)
{
	location_init(&arrival->location, inbox, contact, "");
	part_file_init(&arrival->file, "f");
	claim_init(&arrival->claim, &inbox->quota);
	assert_int_equal(room_reserve(inbox, NULL, &arrival->claim, 0), 0);
}

static int create(struct arrival *arrival)
{
	int error = location_create(&arrival->location, NULL, &arrival->file, "f");
	if (!error) {
		claim_spend(&arrival->claim, 0);
	}
	return error;
}

static void end(struct arrival *arrival)
{
	char path[LOCATION_PATH_SIZE];
	claim_finish(&arrival->claim);
	part_file_finish(&arrival->file);
	location_path(&arrival->location, "f.part", path);
	unlink(path);
	rmdir(arrival->location.contact);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Two new contacts, and one place beside those of their files. */
static void test_directory_without_a_place(void **state)
{
	struct inbox *inbox = start(3);
	struct arrival first, second;
	(void)state;
	reserve(&first, inbox, "a@x");
	reserve(&second, inbox, "b@x");
	assert_int_equal(create(&first), 0);
	assert_int_equal(create(&second), -EDQUOT);
	assert_false(exists("b@x"));
	assert_int_equal(inbox->quota.used.files, 3);
	end(&second);
	assert_int_equal(inbox->quota.used.files, 2);
	assert_int_equal(inbox->quota.awaited.files, 0);
	end(&first);
	finish(inbox);
}

/* A directory that is there needs no place. */
static void test_known_contact(void **state)
{
	struct inbox *inbox = start(2);
	struct arrival first;
	(void)state;
	reserve(&first, inbox, "a@x");
	assert_int_equal(create(&first), 0);
	part_file_finish(&first.file);
	assert_int_equal(unlink("a@x/f.part"), 0);
	part_file_init(&first.file, "f");
	assert_int_equal(create(&first), 0);
	assert_int_equal(inbox->quota.used.files, 2);
	end(&first);
	finish(inbox);
}

static void test_directory_cannot_be_made(void **state)
{
	struct inbox *inbox = start(2);
	struct arrival first;
	(void)state;
	reserve(&first, inbox, "a@x");
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(create(&first), -ENOENT);
	assert_int_equal(inbox->quota.used.files, 1);
	assert_int_equal(inbox->quota.awaited.files, 1);
	end(&first);
	finish(inbox);
}

/* A part makes room for the directory as it does for a file. */
static void test_part_goes(void **state)
{
	struct inbox *inbox = start(4);
	struct arrival old, first;
	(void)state;
	reserve(&old, inbox, "a@x");
	assert_int_equal(create(&old), 0);
	assert_int_equal(rename("a@x/f.part", PART), 0);
	part_file_finish(&old.file);
	part_file_init(&old.file, "f");
	reserve(&first, inbox, "b@x");
	assert_true(quota_reserve(&inbox->quota, quota_file(&inbox->quota, 0)));
	hub_has_part = true;
	assert_int_equal(create(&first), 0);
	assert_false(exists(PART));
	assert_int_equal(inbox->quota.used.files, 4);
	end(&old);
	end(&first);
	finish(inbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directory_without_a_place),
		cmocka_unit_test(test_known_contact),
		cmocka_unit_test(test_directory_cannot_be_made),
		cmocka_unit_test(test_part_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
