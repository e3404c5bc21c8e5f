/* SPDX-License-Identifier: MIT */
/* journal: what the next process finds; journal_format: what it believes; and verdict_file. */
#include "mount/disk/journal.h"
#include "mount/disk/verdict_file.h"
#include "mount/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void log_warning(const char *format, ...)
{
	(void)format;
}

static const struct journal_head head = {
	.own = "me@home.example/ibbfs",
	.peer = "a@x/phone",
	.sid = "s1",
	.contact = "a@x",
	.folder = "photos/2024",
	.name = "a.jpg",
	.part_name = "a.jpg.part",
	.block_size = 4096,
	.announced_size = -1,
	.part_size = 5000,
};

/* ---- the bytes ---- */

struct image {
	uint8_t bytes[JOURNAL_MAX_SIZE];
	size_t length;
};

static struct image image_with(const struct journal_head *of, uint64_t blocks, uint64_t skipped,
			       size_t length)
{
	struct image image = {0};
	static const uint8_t bytes[10000];
	struct journal_record record = {.blocks = blocks, .skipped = skipped};
	checksum_init(&record.sum);
	checksum_add(&record.sum, bytes, length);
	image.length = journal_encode_record(image.bytes, &record);
	image.length += journal_encode_head(image.bytes + image.length, of);
	return image;
}

static struct image image_of(const struct journal_head *of, uint64_t blocks, size_t length)
{
	return image_with(of, blocks, 0, length);
}

static int parse(const struct image *image)
{
	struct journal_head found;
	struct journal_record record;
	/* In a block of its own, so that an overread is seen. */
	uint8_t *copy = malloc(image->length + 1);
	assert_non_null(copy);
	memcpy(copy, image->bytes, image->length);
	int error = journal_parse(copy, image->length, &found, &record);
	free(copy);
	return error;
}

static void test_round_trip(void **state)
{
	struct image image = image_with(&head, 3, 5000, 9000);
	struct journal_head found;
	struct journal_record record;
	(void)state;
	assert_int_equal(journal_parse(image.bytes, image.length, &found, &record), 0);
	assert_string_equal(found.own, head.own);
	assert_string_equal(found.peer, head.peer);
	assert_string_equal(found.sid, head.sid);
	assert_string_equal(found.contact, head.contact);
	assert_string_equal(found.folder, head.folder);
	assert_string_equal(found.name, head.name);
	assert_string_equal(found.part_name, head.part_name);
	assert_int_equal(found.block_size, 4096);
	assert_int_equal(found.announced_size, -1);
	assert_int_equal(found.part_size, 5000);
	assert_int_equal(record.blocks, 3);
	assert_int_equal(record.skipped, 5000);
	assert_int_equal(journal_record_end(&record), 14000);
	assert_int_equal(record.sum.length, 9000);
}

/* Each cut and each bit. */
static void test_damage(void **state)
{
	struct image image = image_of(&head, 3, 9000), spoilt = image;
	(void)state;
	for (spoilt.length = 0; spoilt.length < image.length; spoilt.length++) {
		assert_int_equal(parse(&spoilt), spoilt.length == 0 ? -ENODATA : -EBADMSG);
	}
	spoilt = image;
	for (size_t bit = 0; bit < 8 * image.length; bit++) {
		spoilt.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		int error = parse(&spoilt);
		bool is_magic = bit / 8 >= JOURNAL_RECORD_SIZE && bit / 8 < JOURNAL_RECORD_SIZE + 8;
		/* What fills the record up is never read. */
		bool is_filling = bit / 8 >= 104 && bit / 8 < JOURNAL_RECORD_SIZE;
		assert_int_equal(error, is_magic ? -EPROTONOSUPPORT : is_filling ? 0 : -EBADMSG);
		spoilt.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	memset(spoilt.bytes, 0, JOURNAL_RECORD_SIZE);
	assert_int_equal(parse(&spoilt), -ENODATA);
}

/* Its checksums are right, and it is still not believed. */
static void test_nonsense(void **state)
{
	(void)state;
	static const char *const entries[] = {"", ".", "..", "a/b", ".part"};
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct journal_head bad[] = {head, head, head, head};
		bad[0].contact = bad[1].name = bad[2].part_name = entries[i];
		bad[3].folder = i == 0 ? "/a" : i == 3 ? "a/" : entries[i];
		for (size_t j = 0; j < 4; j++) {
			struct image image = image_of(&bad[j], 3, 9000);
			assert_int_equal(parse(&image), -EBADMSG);
		}
	}
	struct journal_head bad[] = {head, head, head, head, head, head, head, head};
	bad[0].own = "me@home.example";
	bad[1].peer = "a@x";
	bad[2].sid = "";
	bad[3].block_size = 0;
	bad[4].block_size = 65536;
	bad[5].announced_size = 8999;
	bad[6].part_name = "a.jpg";
	bad[7].part_size = (uint64_t)INT64_MAX + 1;
	for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
		struct image image = image_of(&bad[j], 3, 9000);
		assert_int_equal(parse(&image), -EBADMSG);
	}
	struct image image = image_of(&head, 1, 9000); /* more bytes than its blocks can have */
	assert_int_equal(parse(&image), -EBADMSG);
	image = image_with(&head, 3, 5001, 0); /* more than could be skipped */
	assert_int_equal(parse(&image), -EBADMSG);
	struct journal_head short_head = head;
	short_head.announced_size = 13999;
	image = image_with(&short_head, 3, 5000, 9000);
	assert_int_equal(parse(&image), -EBADMSG);
}

static void test_too_long(void **state)
{
	static uint8_t bytes[JOURNAL_MAX_SIZE - JOURNAL_RECORD_SIZE];
	static char sid[JOURNAL_MAX_SIZE];
	struct journal_head long_head = head;
	(void)state;
	memset(sid, 'x', sizeof(sid) - 1);
	long_head.sid = sid;
	assert_int_equal(journal_encode_head(bytes, &long_head), 0);
}

/* ---- the files ---- */

struct world {
	char path[32];
	int inbox;
	struct journals journals;
};

static void start(struct world *world)
{
	strcpy(world->path, "/tmp/ibbfs-journal-XXXXXX");
	assert_non_null(mkdtemp(world->path));
	world->inbox = open(world->path, O_RDONLY | O_DIRECTORY);
	assert_true(world->inbox >= 0);
	journals_init(&world->journals, world->inbox);
}

static void restart(struct world *world)
{
	journals_finish(&world->journals);
	journals_init(&world->journals, world->inbox);
}

/* Nothing may be left. */
static void finish(struct world *world)
{
	journals_finish(&world->journals);
	close(world->inbox);
	assert_int_equal(rmdir(world->path), 0);
}

static void test_found_by_the_next(void **state)
{
	struct world world;
	struct journal journal;
	(void)state;
	start(&world);
	assert_null(journals_find(&world.journals));
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	assert_int_equal(journal_note(&journal, "abc", 3, 1), 0);
	assert_int_equal(journal_note(&journal, "de", 2, 2), 0);
	journal_leave(&journal);
	restart(&world);
	struct journal_found *found = journals_find(&world.journals);
	assert_non_null(found);
	assert_null(found->next);
	assert_string_equal(found->head.sid, "s1");
	assert_int_equal(found->record.blocks, 2);
	struct checksum sum;
	checksum_init(&sum);
	checksum_add(&sum, "abcde", 5);
	assert_true(checksum_equals(&sum, &found->record.sum));
	assert_false(found->record.is_whole);
	/* it goes on */
	assert_int_equal(journal_note(&found->journal, "f", 1, 3), 0);
	checksum_add(&sum, "f", 1);
	journal_note_whole(&found->journal);
	journal_leave(&found->journal);
	free(found);
	found = journals_find(&world.journals);
	assert_non_null(found);
	assert_true(checksum_equals(&sum, &found->record.sum));
	assert_int_equal(found->record.blocks, 3);
	assert_true(found->record.is_whole);
	journal_end(&world.journals, &found->journal);
	free(found);
	finish(&world);
}

/* What was skipped is not summed up. */
static void test_skip(void **state)
{
	struct world world;
	struct journal journal;
	struct checksum sum;
	(void)state;
	start(&world);
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	assert_int_equal(journal_note(&journal, "abc", 3, 1), 0);
	assert_int_equal(journal_note_skip(&journal, 4000, 2), 0);
	assert_int_equal(journal_note(&journal, "de", 2, 3), 0);
	journal_leave(&journal);
	restart(&world);
	struct journal_found *found = journals_find(&world.journals);
	assert_non_null(found);
	assert_int_equal(found->head.part_size, 5000);
	assert_int_equal(found->record.blocks, 3);
	assert_int_equal(found->record.skipped, 4000);
	checksum_init(&sum);
	checksum_add(&sum, "de", 2);
	assert_true(checksum_equals(&sum, &found->record.sum));
	/* it goes on; a later journal in the same file has skipped nothing */
	assert_int_equal(journal_note(&found->journal, "f", 1, 4), 0);
	journal_leave(&found->journal);
	free(found);
	found = journals_find(&world.journals);
	assert_non_null(found);
	assert_int_equal(journal_record_end(&found->record), 4003);
	journal_end(&world.journals, &found->journal);
	free(found);
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	assert_int_equal(journal.skipped, 0);
	journal_end(&world.journals, &journal);
	finish(&world);
}

/* One that has ended is used again, and is none for the next process. */
static void test_used_again(void **state)
{
	struct world world;
	struct journal first, second;
	(void)state;
	start(&world);
	assert_int_equal(journal_begin(&world.journals, &first, &head), 0);
	assert_int_equal(journal_note(&first, "abc", 3, 1), 0);
	unsigned number = first.number;
	journal_end(&world.journals, &first);
	journal_end(&world.journals, &first); /* no effect */
	assert_int_equal(journal_begin(&world.journals, &second, &head), 0);
	assert_int_equal(second.number, number);
	assert_int_equal(second.sum.length, 0);
	journal_end(&world.journals, &second);
	/* as after SIGKILL */
	close(world.journals.spare[0].fd);
	world.journals.spare_length = 0;
	assert_null(journals_find(&world.journals));
	finish(&world);
}

/* Another process has it. */
/* A daemon that runs for long uses every number, and those that are free again. */
static void test_numbers(void **state)
{
	struct world world;
	struct journal journals[4];
	(void)state;
	start(&world);
	assert_int_equal(journal_begin(&world.journals, &journals[0], &head), 0);
	world.journals.next = JOURNAL_NUMBERS - 1;
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(journal_begin(&world.journals, &journals[i], &head), 0);
	}
	assert_int_equal(journals[1].number, JOURNAL_NUMBERS - 1);
	assert_int_equal(journals[2].number, 1); /* the first one has 0 still */
	assert_int_equal(journals[3].number, 2);
	for (size_t i = 0; i < 4; i++) {
		journal_end(&world.journals, &journals[i]);
	}
	finish(&world);
}

static void test_locked(void **state)
{
	struct world world;
	struct journal journal;
	(void)state;
	start(&world);
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	assert_null(journals_find(&world.journals));
	journal_leave(&journal);
	struct journal_found *found = journals_find(&world.journals);
	assert_non_null(found);
	journal_end(&world.journals, &found->journal);
	free(found);
	finish(&world);
}

/* ---- verdicts ---- */

struct seen {
	char text[400];
};

static void see(void *context, const struct verdict_record *record)
{
	struct seen *seen = context;
	size_t length = strlen(seen->text);
	const char *name = condition_name(record->verdict);
	snprintf(seen->text + length, sizeof(seen->text) - length, "%s %s %s %s;", record->own,
		 record->peer, record->sid, name ? name : "stored");
	assert_true(record->written > 0);
}

static void assert_seen(const struct journals *journals, const char *text)
{
	struct seen seen = {{0}};
	verdict_file_read(journals, see, &seen);
	assert_string_equal(seen.text, text);
}

static void note(const struct journals *journals, const char *own, const char *sid,
		 enum condition verdict)
{
	struct verdict_name name;
	verdict_name_set(&name, own, "a@x/phone", sid);
	verdict_file_note(journals, &name, verdict);
}

static void test_verdicts(void **state)
{
	struct world world;
	struct journal journal;
	char sid[VERDICT_NAME_SIZE] = {0};
	(void)state;
	start(&world);
	note(&world.journals, "me@home/a", "s1", CONDITION_NONE); /* no directory: no effect */
	assert_seen(&world.journals, "");
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	assert_seen(&world.journals, "");
	note(&world.journals, "me@home/a", "s1", CONDITION_NONE);
	assert_seen(&world.journals, "me@home/a a@x/phone s1 stored;");
	assert_null(journals_find(&world.journals)); /* it is no journal */
	/* the latest counts */
	note(&world.journals, "me@home/a", "s1", CONDITION_RESOURCE_CONSTRAINT);
	assert_seen(&world.journals, "me@home/a a@x/phone s1 resource-constraint;");
	/* one that has no room */
	memset(sid, 'x', sizeof(sid) - 1);
	note(&world.journals, "me@home/a", sid, CONDITION_NONE);
	assert_seen(&world.journals, "me@home/a a@x/phone s1 resource-constraint;");
	/* another account has its own there */
	verdict_file_remove(&world.journals, "me@home/b");
	assert_seen(&world.journals, "me@home/a a@x/phone s1 resource-constraint;");
	verdict_file_remove(&world.journals, "me@home/a");
	assert_seen(&world.journals, "");
	journal_end(&world.journals, &journal);
	finish(&world);
}

/* Each bit of a record. */
static void test_damaged_verdict(void **state)
{
	struct world world;
	struct journal journal;
	struct stat status;
	char path[64], bytes[512];
	(void)state;
	start(&world);
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	note(&world.journals, "me@home/a", "s1", CONDITION_NONE);
	snprintf(path, sizeof(path), "%s/" JOURNAL_DIRECTORY "/verdicts", world.path);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	off_t place = status.st_size - (off_t)sizeof(bytes);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), place), sizeof(bytes));
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), place), sizeof(bytes));
		assert_seen(&world.journals, "");
		bytes[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), place), sizeof(bytes));
	assert_seen(&world.journals, "me@home/a a@x/phone s1 stored;");
	assert_int_equal(ftruncate(fd, place + 511), 0);
	assert_seen(&world.journals, "");
	close(fd);
	verdict_file_remove(&world.journals, "me@home/a");
	journal_end(&world.journals, &journal);
	finish(&world);
}

/* Two processes in one directory. */
static void test_two_processes(void **state)
{
	struct world world;
	struct journals other;
	struct journal journal;
	(void)state;
	start(&world);
	assert_true(journals_are_ours(&world.journals)); /* there is no directory */
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	assert_true(journals_are_ours(&world.journals));
	journals_init(&other, world.journals.inbox);
	assert_null(journals_find(&other));
	assert_false(journals_are_ours(&other));
	assert_false(journals_are_ours(&world.journals));
	journals_finish(&other);
	assert_true(journals_are_ours(&world.journals));
	journal_end(&world.journals, &journal);
	finish(&world);
}

/* The other process removes the directory at its end, as nothing is in it. */
static void test_directory_is_removed(void **state)
{
	struct world world;
	struct journals other;
	struct journal journal, another;
	(void)state;
	start(&world);
	assert_int_equal(journal_begin(&world.journals, &journal, &head), 0);
	journals_init(&other, world.inbox);
	assert_null(journals_find(&other));
	journal_end(&world.journals, &journal);
	restart(&world);
	assert_int_equal(faccessat(world.inbox, JOURNAL_DIRECTORY, F_OK, 0), -1);
	assert_int_equal(journal_begin(&other, &another, &head), 0);
	journal_leave(&another);
	struct journal_found *found = journals_find(&world.journals);
	assert_non_null(found);
	assert_false(journals_are_ours(&world.journals));
	journal_end(&other, &found->journal);
	free(found);
	journals_finish(&other);
	finish(&world);
}

/* Files that are none are removed, or left alone if they cannot be ours. */
static void test_garbage(void **state)
{
	struct world world;
	char path[64];
	(void)state;
	start(&world);
	snprintf(path, sizeof(path), "%s/" JOURNAL_DIRECTORY, world.path);
	assert_int_equal(mkdir(path, 0700), 0);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/" JOURNAL_DIRECTORY "/%u", world.path, i);
		FILE *file = fopen(path, "w");
		assert_non_null(file);
		fprintf(file, "%0*u", (int)(i * 20000), 5U);
		assert_int_equal(fclose(file), 0);
	}
	assert_null(journals_find(&world.journals));
	finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_found_by_the_next),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_used_again),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_damaged_verdict),
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_directory_is_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
