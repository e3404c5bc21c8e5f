/* SPDX-License-Identifier: MIT */
/*
 * Calls of the uploads and of the inbox: each is five lines.
 */
#include "mount/hub_internal.h"

#include "account/inbox_file.h"
#include "account/inbox_part.h"
#include "account/spool_file.h"

/* The calls of an upload cannot be interrupted: no process waits in them. */
void hub_upload_wait(struct hub *hub, uint64_t number, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	spool_file_wait(&hub->account, number, &request->op);
	hub_end(hub, now_ms);
}

int hub_upload_part(struct hub *hub, uint64_t number, struct offer_part *part)
{
	hub_begin(hub);
	int error = spool_file_part(&hub->account, number, part);
	hub_unlock(hub);
	return error;
}

void hub_upload_set_digest(struct hub *hub, uint64_t number, const struct digest *digest)
{
	int64_t now_ms = hub_begin(hub);
	spool_file_set_digest(&hub->account, number, digest);
	hub_end(hub, now_ms);
}

void hub_upload_write(struct hub *hub, uint64_t number, struct request *request, const void *bytes)
{
	int64_t now_ms = hub_begin(hub);
	spool_file_send(&hub->account, number, &request->op, bytes, now_ms);
	hub_end(hub, now_ms);
}

void hub_upload_end(struct hub *hub, uint64_t number, int error)
{
	int64_t now_ms = hub_begin(hub);
	spool_file_end(&hub->account, number, error, now_ms);
	hub_end(hub, now_ms);
}

void hub_download_decline(struct hub *hub, uint64_t ino, int error)
{
	int64_t now_ms = hub_begin(hub);
	inbox_file_decline(&hub->account, ino, error, now_ms);
	hub_end(hub, now_ms);
}

bool hub_download_is_offered(struct hub *hub, uint64_t ino)
{
	hub_begin(hub);
	bool offered = inbox_file_is_offered(&hub->account, ino);
	hub_unlock(hub);
	return offered;
}

int hub_download_continue(struct hub *hub, uint64_t ino, uint64_t offset, struct hash *hash)
{
	int64_t now_ms = hub_begin(hub);
	int error = inbox_file_continue(&hub->account, ino, offset, hash);
	hub_end(hub, now_ms);
	return error;
}

void hub_download_begin(struct hub *hub, uint64_t ino, const char *path, uint64_t size,
			struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	inbox_file_begin(&hub->account, ino, path, size, &request->op, now_ms);
	hub_end(hub, now_ms);
}

void hub_download_read(struct hub *hub, uint64_t ino, bool synced, struct request *request)
{
	int64_t now_ms = hub_begin(hub);
	inbox_file_read(&hub->account, ino, synced, &request->op);
	hub_end(hub, now_ms);
}

void hub_download_answer_page(struct hub *hub, uint64_t ino, uint64_t first, const uint8_t *digests,
			      size_t length)
{
	int64_t now_ms = hub_begin(hub);
	inbox_file_answer_page(&hub->account, ino, first, digests, length);
	hub_end(hub, now_ms);
}

int hub_download_error(struct hub *hub, uint64_t ino)
{
	hub_begin(hub);
	int error = inbox_file_error(&hub->account, ino);
	hub_unlock(hub);
	return error;
}

bool hub_download_digest(struct hub *hub, uint64_t ino, uint8_t *digest)
{
	hub_begin(hub);
	bool has = inbox_file_digest(&hub->account, ino, digest);
	hub_unlock(hub);
	return has;
}

int hub_download_name(struct hub *hub, uint64_t ino, const char *path)
{
	int64_t now_ms = hub_begin(hub);
	int error = inbox_file_name(&hub->account, ino, path);
	hub_end(hub, now_ms);
	return error;
}

int hub_download_end(struct hub *hub, uint64_t ino, const char *path, int error)
{
	int64_t now_ms = hub_begin(hub);
	int result = inbox_file_end(&hub->account, ino, path, error, now_ms);
	hub_end(hub, now_ms);
	return result;
}

void hub_download_set_journaled(struct hub *hub, uint64_t ino, bool journaled)
{
	int64_t now_ms = hub_begin(hub);
	inbox_file_set_journaled(&hub->account, ino, journaled);
	hub_end(hub, now_ms);
}

int hub_restore_inbox_file(struct hub *hub, const struct inbox_path *path, uint64_t size,
			   const struct timespec *modified)
{
	int64_t now_ms = hub_begin(hub);
	int result = inbox_entry_restore(&hub->account, path, size, modified, now_ms);
	hub_end(hub, now_ms);
	return result;
}

int hub_resume_inbox_file(struct hub *hub, const struct inbox_path *path, const char *part,
			  const struct stream_facts *facts, uint64_t *ino)
{
	int64_t now_ms = hub_begin(hub);
	int result = inbox_file_resume(&hub->account, path, part, facts, now_ms, ino);
	hub_end(hub, now_ms);
	return result;
}

void hub_restore_verdict(struct hub *hub, const char *peer, const char *sid, enum condition verdict)
{
	hub_begin(hub);
	ibb_restore_verdict(&hub->account.ibb, peer, sid, verdict);
	hub_unlock(hub);
}

bool hub_next_inbox_file(struct hub *hub, uint64_t *ino, char *path, size_t size)
{
	hub_begin(hub);
	bool found = inbox_entry_next(&hub->account.tree, ino, path, size);
	hub_unlock(hub);
	return found;
}

void hub_remove_inbox_file(struct hub *hub, uint64_t ino)
{
	int64_t now_ms = hub_begin(hub);
	inbox_entry_remove(&hub->account, ino, now_ms);
	hub_end(hub, now_ms);
}

/* ---- parts ---- */

void hub_restore_part(struct hub *hub, const char *path, const struct stat *status)
{
	int64_t now_ms = hub_begin(hub);
	inbox_part_restore(&hub->account, path, status, now_ms);
	hub_end(hub, now_ms);
}

void hub_use_part(struct hub *hub, const char *path)
{
	int64_t now_ms = hub_begin(hub);
	inbox_part_use(&hub->account, path, now_ms);
	hub_end(hub, now_ms);
}

void hub_leave_part(struct hub *hub, const char *path, const struct stat *status)
{
	int64_t now_ms = hub_begin(hub);
	inbox_part_leave(&hub->account, path, status);
	hub_end(hub, now_ms);
}

void hub_show_part(struct hub *hub, const char *path)
{
	int64_t now_ms = hub_begin(hub);
	inbox_part_show(&hub->account, path, now_ms);
	hub_end(hub, now_ms);
}

void hub_remove_part(struct hub *hub, const char *path)
{
	int64_t now_ms = hub_begin(hub);
	inbox_part_remove(&hub->account, path, now_ms);
	hub_end(hub, now_ms);
}

bool hub_take_oldest_part(struct hub *hub, char *path, size_t size)
{
	int64_t now_ms = hub_begin(hub);
	bool taken = inbox_part_take_oldest(&hub->account, path, size, now_ms);
	hub_end(hub, now_ms);
	return taken;
}

uint64_t hub_sum_parts(struct hub *hub, uint64_t block, uint64_t *files)
{
	hub_begin(hub);
	uint64_t bytes = parts_sum(hub->account.parts, block, files);
	hub_unlock(hub);
	return bytes;
}
