/* SPDX-License-Identifier: MIT */
/* room, with a hub that knows one part: no file comes or goes but by the test's hand. */
#include "mount/disk/room.h"

#include "mount/disk/one_part.h"

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

static char directory[] = "/tmp/room-XXXXXX";

static void add_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* It is full, with a directory, a file and a part, as a count of just now has found. */
static struct inbox *start(struct claim *claim)
{
	int error;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	assert_int_equal(mkdir("a@x", 0700), 0);
	add_file("a@x/whole");
	add_file(PART);
	struct inbox *inbox = inbox_create(directory, (struct usage){.files = 3}, false, &error);
	assert_non_null(inbox);
	hub_has_part = true;
	claim_init(claim, &inbox->quota);
	assert_int_equal(claim_reserve(claim, 1), -EDQUOT);
	assert_int_equal(quota_counts(&inbox->quota), 1);
	return inbox;
}

static void finish(struct inbox *inbox, struct claim *claim)
{
	claim_finish(claim);
	inbox_destroy(inbox);
	unlink("a@x/whole");
	unlink("a@x/more");
	unlink(PART);
	rmdir("a@x");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
	memcpy(strchr(directory, '-') + 1, "XXXXXX", 6);
}

static void test_part_goes(void **state)
{
	struct claim claim;
	struct inbox *inbox = start(&claim);
	(void)state;
	assert_int_equal(room_reserve(inbox, NULL, &claim, 1), 0);
	assert_false(exists(PART));
	assert_true(exists("a@x/whole"));
	finish(inbox, &claim);
}

/* Taken out by hand since the last count, which is so new that quota_reserve does not count. */
static void test_room_by_hand(void **state)
{
	struct claim claim;
	struct inbox *inbox = start(&claim);
	(void)state;
	assert_int_equal(unlink("a@x/whole"), 0);
	assert_int_equal(room_reserve(inbox, NULL, &claim, 1), 0);
	assert_true(exists(PART) && hub_has_part);
	finish(inbox, &claim);
}

/* Put there by hand since: the part would not be enough. */
static void test_less_room(void **state)
{
	struct claim claim;
	struct inbox *inbox = start(&claim);
	(void)state;
	add_file("a@x/more");
	assert_int_equal(room_reserve(inbox, NULL, &claim, 1), -EDQUOT);
	assert_true(exists(PART) && hub_has_part);
	finish(inbox, &claim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part_goes),
		cmocka_unit_test(test_room_by_hand),
		cmocka_unit_test(test_less_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
