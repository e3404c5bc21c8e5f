/* SPDX-License-Identifier: MIT */
#include "mount/disk/journal_format.h"

#include "account/name.h"

#include <errno.h>
#include <string.h>

/* "ibbfs", version 3. */
#define MAGIC 0x0003000073666262u

#define MAX_BLOCK 65535
#define STRINGS	  7

struct record_layout {
	uint64_t blocks, skipped;
	struct checksum sum;
	uint64_t is_whole;
	uint64_t check; /* of all before it */
};

struct head_layout {
	uint64_t magic;
	uint32_t length; /* of the strings, each with its NUL, which follow; then the checksum */
	uint32_t block_size;
	int64_t announced_size;
	uint64_t part_size;
};

_Static_assert(sizeof(struct record_layout) <= JOURNAL_RECORD_SIZE, "a record has its place");

size_t journal_encode_record(uint8_t bytes[JOURNAL_RECORD_SIZE],
			     const struct journal_record *record)
{
	struct record_layout layout = {
		.blocks = record->blocks,
		.skipped = record->skipped,
		.sum = record->sum,
		.is_whole = record->is_whole,
	};
	layout.check = checksum_of(&layout, offsetof(struct record_layout, check));
	memset(bytes, 0, JOURNAL_RECORD_SIZE);
	memcpy(bytes, &layout, sizeof(layout));
	return JOURNAL_RECORD_SIZE;
}

static void list_strings(const struct journal_head *head, const char *strings[STRINGS])
{
	const char *const list[STRINGS] = {head->own,	 head->peer, head->sid,	     head->contact,
					   head->folder, head->name, head->part_name};
	memcpy(strings, list, sizeof(list));
}

size_t journal_encode_head(uint8_t bytes[JOURNAL_MAX_SIZE - JOURNAL_RECORD_SIZE],
			   const struct journal_head *head)
{
	const char *strings[STRINGS];
	struct head_layout layout = {
		.magic = MAGIC,
		.block_size = head->block_size,
		.announced_size = head->announced_size,
		.part_size = head->part_size,
	};
	size_t end = sizeof(layout);
	list_strings(head, strings);
	for (size_t i = 0; i < STRINGS; i++) {
		size_t size = strlen(strings[i]) + 1;
		if (size > JOURNAL_MAX_SIZE - JOURNAL_RECORD_SIZE - sizeof(uint64_t) - end) {
			return 0;
		}
		memcpy(bytes + end, strings[i], size);
		end += size;
	}
	layout.length = (uint32_t)(end - sizeof(layout));
	memcpy(bytes, &layout, sizeof(layout));
	uint64_t check = checksum_of(bytes, end);
	memcpy(bytes + end, &check, sizeof(check));
	return end + sizeof(check);
}

/* ---- parsing ---- */

/* Whether it is the name of one directory entry, and not a hidden one. */
static bool is_entry(const char *name, size_t length)
{
	return length > 0 && length <= NAME_MAX_BYTES && name[0] != '.' &&
	       !memchr(name, '/', length);
}

static bool is_folder(const char *folder)
{
	size_t size = strlen(folder) + 1;
	if (size > NAME_FOLDER_SIZE) {
		return false;
	}
	for (const char *at = folder; size > 1;) {
		size_t length = strcspn(at, "/");
		if (!is_entry(at, length)) {
			return false;
		}
		at += length;
		if (*at == '\0') {
			break;
		}
		at++;
	}
	return true;
}

/* Even a checksum that is right does not make a path that leaves the inbox. */
static bool is_valid(const struct journal_head *head)
{
	return strchr(head->own, '/') && strchr(head->peer, '/') && head->sid[0] != '\0' &&
	       is_entry(head->contact, strlen(head->contact)) && is_folder(head->folder) &&
	       is_entry(head->name, strlen(head->name)) &&
	       is_entry(head->part_name, strlen(head->part_name)) &&
	       name_is_part(head->part_name) && head->block_size >= 1 &&
	       head->block_size <= MAX_BLOCK && head->announced_size >= -1 &&
	       head->part_size <= INT64_MAX;
}

static int parse_record(const uint8_t *bytes, struct journal_record *record)
{
	static const uint8_t unused[JOURNAL_RECORD_SIZE];
	struct record_layout layout;
	if (memcmp(bytes, unused, sizeof(unused)) == 0) {
		return -ENODATA;
	}
	memcpy(&layout, bytes, sizeof(layout));
	if (layout.check != checksum_of(&layout, offsetof(struct record_layout, check))) {
		return -EBADMSG;
	}
	*record = (struct journal_record){
		.blocks = layout.blocks,
		.skipped = layout.skipped,
		.sum = layout.sum,
		.is_whole = layout.is_whole,
	};
	return 0;
}

/* Finds the strings from `at` to `end`, each with its NUL. False: there are fewer. */
static bool find_strings(const uint8_t *at, const uint8_t *end, const char *strings[STRINGS])
{
	for (size_t i = 0; i < STRINGS; i++) {
		const uint8_t *nul = memchr(at, '\0', (size_t)(end - at));
		if (!nul) {
			return false;
		}
		strings[i] = (const char *)at;
		at = nul + 1;
	}
	return true;
}

static int parse_head(const uint8_t *bytes, size_t length, struct journal_head *head)
{
	const char *strings[STRINGS];
	struct head_layout layout;
	uint64_t check;
	if (length < sizeof(layout) + sizeof(check)) {
		return -EBADMSG;
	}
	memcpy(&layout, bytes, sizeof(layout));
	if (layout.magic != MAGIC) {
		return -EPROTONOSUPPORT;
	}
	if (layout.length > length - sizeof(layout) - sizeof(check)) {
		return -EBADMSG;
	}
	size_t end = sizeof(layout) + layout.length;
	memcpy(&check, bytes + end, sizeof(check));
	if (check != checksum_of(bytes, end)) {
		return -EBADMSG;
	}
	if (!find_strings(bytes + sizeof(layout), bytes + end, strings)) {
		return -EBADMSG;
	}
	*head = (struct journal_head){
		.own = strings[0],
		.peer = strings[1],
		.sid = strings[2],
		.contact = strings[3],
		.folder = strings[4],
		.name = strings[5],
		.part_name = strings[6],
		.block_size = layout.block_size,
		.announced_size = layout.announced_size,
		.part_size = layout.part_size,
	};
	return is_valid(head) ? 0 : -EBADMSG;
}

/* Whether a stream with that head can have received what the record says. */
static bool is_possible(const struct journal_head *head, const struct journal_record *record)
{
	uint64_t length = record->sum.length;
	/* Neither a sum nor a product may overflow. */
	return record->skipped <= head->part_size && length <= INT64_MAX &&
	       length / head->block_size <= record->blocks &&
	       (head->announced_size < 0 ||
		journal_record_end(record) <= (uint64_t)head->announced_size);
}

int journal_parse(const uint8_t *bytes, size_t length, struct journal_head *head,
		  struct journal_record *record)
{
	if (length < JOURNAL_RECORD_SIZE) {
		return length == 0 ? -ENODATA : -EBADMSG;
	}
	int error = parse_record(bytes, record);
	/* The version comes first: a later one may have another record. */
	int of_head = parse_head(bytes + JOURNAL_RECORD_SIZE, length - JOURNAL_RECORD_SIZE, head);
	if (error == -ENODATA || of_head) {
		return error == -ENODATA ? error : of_head;
	}
	if (error) {
		return error;
	}
	return is_possible(head, record) ? 0 : -EBADMSG;
}
