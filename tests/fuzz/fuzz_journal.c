/* SPDX-License-Identifier: MIT */
/*
 * fuzz_journal - the journal of a stream, which may be cut, damaged or of another version.
 *
 * What is believed leads to a file in the inbox, and to nothing outside it. The checksums of an
 * input are made right, in a second run, as no search would find them.
 */
#include "fuzz.h"
#include "mount/disk/journal_format.h"

#include <string.h>

/* Of the head, without its strings and its checksum. */
#define HEAD_SIZE ((size_t)32)

static void check_entry(const char *name)
{
	FUZZ_CHECK(name[0] != '\0' && name[0] != '.' && !strchr(name, '/'));
}

static void check_head(const struct journal_head *head)
{
	check_entry(head->contact);
	check_entry(head->name);
	check_entry(head->part_name);
	FUZZ_CHECK(head->folder[0] != '/' && head->folder[0] != '.');
	FUZZ_CHECK(!strstr(head->folder, "/.") && !strstr(head->folder, "//"));
	FUZZ_CHECK(head->block_size >= 1 && head->block_size <= 65535);
	FUZZ_CHECK(head->announced_size >= -1);
}

static void check_record(const struct journal_head *head, const struct journal_record *record)
{
	uint64_t end = journal_record_end(record);
	FUZZ_CHECK(record->skipped <= head->part_size);
	FUZZ_CHECK(end >= record->skipped && end >= record->sum.length);
	FUZZ_CHECK(head->announced_size < 0 || end <= (uint64_t)head->announced_size);
}

static void parse(const uint8_t *bytes, size_t length)
{
	struct journal_head head;
	struct journal_record record;
	uint8_t *copy = malloc(length > 0 ? length : 1);
	FUZZ_CHECK(copy != NULL);
	memcpy(copy, bytes, length);
	int error = journal_parse(copy, length, &head, &record);
	FUZZ_CHECK(error <= 0);
	if (!error) {
		uint8_t again[JOURNAL_MAX_SIZE];
		check_head(&head);
		check_record(&head, &record);
		/* What was believed can be written, and is the same. */
		journal_encode_record(again, &record);
		size_t size = journal_encode_head(again + JOURNAL_RECORD_SIZE, &head);
		FUZZ_CHECK(size > 0 && size + JOURNAL_RECORD_SIZE <= length);
		FUZZ_CHECK(memcmp(again + JOURNAL_RECORD_SIZE, copy + JOURNAL_RECORD_SIZE,
				  sizeof(uint64_t)) == 0);
	}
	free(copy);
}

/* The record, of blocks, a skip and a length; the head as it is, with its checksum at its end. */
static void parse_mended(const uint8_t *bytes, size_t length)
{
	static uint8_t mended[JOURNAL_MAX_SIZE];
	struct journal_record record = {0};
	uint64_t check;
	if (length < JOURNAL_RECORD_SIZE + HEAD_SIZE + sizeof(check) || length > sizeof(mended)) {
		return;
	}
	memcpy(mended, bytes, length);
	memcpy(&record.blocks, bytes, sizeof(record.blocks));
	memcpy(&record.skipped, bytes + 8, sizeof(record.skipped));
	memcpy(&record.sum.length, bytes + 16, sizeof(record.sum.length));
	journal_encode_record(mended, &record);
	uint32_t strings = (uint32_t)(length - JOURNAL_RECORD_SIZE - HEAD_SIZE - sizeof(check));
	memcpy(mended + JOURNAL_RECORD_SIZE + sizeof(uint64_t), &strings, sizeof(strings));
	size_t end = length - sizeof(check);
	check = checksum_of(mended + JOURNAL_RECORD_SIZE, end - JOURNAL_RECORD_SIZE);
	memcpy(mended + end, &check, sizeof(check));
	parse(mended, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	if (length <= JOURNAL_MAX_SIZE) {
		parse(bytes, length);
		parse_mended(bytes, length);
	}
	return 0;
}
