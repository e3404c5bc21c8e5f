/* SPDX-License-Identifier: MIT */
/*
 * hub - where the two threads meet: the account, and the one mutex around it.
 *
 * Every function here does the same: lock; one call into the account; take the results; unlock;
 * deliver. Only that call happens under the lock: no system call, no libfuse, no libstrophe, no
 * log.
 *
 * Units:   ms of CLOCK_MONOTONIC.
 * Errors:  0 or -errno, as FUSE wants it.
 * Threads: any. `deliver` of a request is called in whichever thread finished it, without the
 *          lock; client_events in the XMPP thread.
 */
#ifndef MOUNT_HUB_H
#define MOUNT_HUB_H

#include "account/account.h"
#include "account/attribute.h"
#include "account/handle.h"
#include "account/listing.h"
#include "ibb/op.h"
#include "xmpp/client.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <uthash.h>

struct inbox_reader; /* inbox_ops.h */
struct inbox_path;   /* account/inbox_entry.h */

/* A call that may wait. */
struct request {
	struct op op;	   /* first: the core knows only this */
	UT_hash_handle hh; /* hub.parked, by op.token */
	bool parked;
	bool interrupted;			  /* between two waits: the next one ends at once */
	uint64_t note;				  /* the submitter's own (hub_is_parked) */
	void (*deliver)(struct request *request); /* exactly once; it owns the request then */
};

enum hub_state {
	HUB_CONNECTING,
	HUB_ONLINE,
	HUB_FAILED, /* for good; hub_failure says why */
};

/* The owner of a new node. */
struct owner {
	uid_t uid;
	gid_t gid;
};

struct hub;

/* The receiver of arrivals; called in any thread, without the lock. */
struct hub_inbox {
	void *context;
	bool syncs; /* it makes files durable */
	/* Takes the arrival over. */
	void (*receive)(void *context, struct hub *hub, struct inbox_arrival *arrival);
};

/* NULL when memory is short; the arguments are those of account_init. `owner`: of nodes that no
 * process has made. */
struct hub *hub_create(const struct stream_config *config, unsigned max_streams, enum access accept,
		       const char *jid, struct owner owner);

/* Handles that were open at the end and still have a spool or a reader: a list, the caller's.
 * After hub_abandon. */
struct handle *hub_take_orphans(struct hub *hub);

/* Call when no thread uses the hub any more, every request was delivered (hub_abandon) and the
 * orphans were taken. */
void hub_destroy(struct hub *hub);

/* The callbacks of a client, for events off the wire. */
struct client_events hub_client_events(struct hub *hub);

/* The client to wake when there is something to send; before client_start. */
void hub_set_client(struct hub *hub, struct client *client);

/* From now on arrivals go into the inbox; before client_start. */
void hub_set_inbox(struct hub *hub, struct hub_inbox inbox);

/* The full JID that streams of an earlier process were sent to, and that we log in with (copied).
 * -ENOMEM. Likewise. */
int hub_set_jid(struct hub *hub, const char *jid);

/* tree_set_umask; before client_start. */
void hub_set_umask(struct hub *hub, mode_t mask);

/* From now on new directories have these defaults, the caller's; before client_start. */
void hub_set_presets(struct hub *hub, const struct preset *presets);

/* ---- for the main thread's loop ---- */

/* Becomes readable when the deadline is earlier or the state has changed; hub_begin_wait resets it.
 */
int hub_fd(const struct hub *hub);

/* Makes it readable. */
void hub_wake_main(struct hub *hub);

/* Call before waiting; returns until when, INT64_MAX for ever. */
int64_t hub_begin_wait(struct hub *hub);

/* Call after waiting. */
void hub_tick(struct hub *hub);

enum hub_state hub_get_state(struct hub *hub);

/* Why the state is HUB_FAILED: a line, the caller's; NULL when memory is short. */
char *hub_failure(struct hub *hub);

/* status_line. hub_watch_status: from now on the main thread is woken up when the count of streams
 * changes; before client_start. */
void hub_status_line(struct hub *hub, char *line, size_t size);
void hub_watch_status(struct hub *hub);

/* shutdown_begin, shutdown_is_complete, shutdown_abandon. */
void hub_stop(struct hub *hub, bool unmounted);
bool hub_is_drained(struct hub *hub);
void hub_abandon(struct hub *hub);

/* Whether hub_abandon was called: nobody is answered any more. */
bool hub_has_ended(struct hub *hub);

/* Our full JID, the caller's, if no peer can ask for a verdict any more: at hub_abandon we were
 * online, and so was each peer that was answered before; and those of an earlier process were asked
 * for. NULL: a peer can, or memory is short. */
char *hub_ended_as(struct hub *hub);

/* ---- calls of the file system; -ENOENT for an inode that is not there ---- */

/* Functions with `attributes` count a lookup of the node that they return. */
/* *pace is that of the name, with -ENOENT, too. */
int hub_lookup(struct hub *hub, uint64_t parent, const char *name, struct stat *attributes,
	       enum tree_pace *pace);
int hub_mknod(struct hub *hub, uint64_t parent, const char *name, mode_t mode, struct owner owner,
	      struct stat *attributes);
int hub_mkdir(struct hub *hub, uint64_t parent, const char *name, struct owner owner,
	      struct stat *attributes);

void hub_forget(struct hub *hub, uint64_t ino, uint64_t lookups);
int hub_get_attributes(struct hub *hub, uint64_t ino, struct stat *attributes);

int hub_set_attributes(struct hub *hub, uint64_t ino, struct handle *handle,
		       const struct changes *changes, struct stat *attributes);

int hub_rmdir(struct hub *hub, uint64_t parent, const char *name);
int hub_unlink(struct hub *hub, uint64_t parent, const char *name);
int hub_list(struct hub *hub, uint64_t ino, struct listing **listing);

/* attribute.c's calls; `value` and `names` have room for ATTRIBUTE_MAX_BYTES. */
ssize_t hub_get_attribute(struct hub *hub, uint64_t ino, const char *name, char *value);
ssize_t hub_list_attributes(struct hub *hub, uint64_t ino, char *names);
int hub_set_attribute(struct hub *hub, uint64_t ino, const char *name, const char *value,
		      size_t length);
int hub_remove_attribute(struct hub *hub, uint64_t ino, const char *name);

/* file.c's calls. The request is the hub's until it is delivered. */
void hub_open(struct hub *hub, uint64_t ino, int flags, const char *sid, struct request *request);
void hub_read(struct hub *hub, struct handle *handle, struct request *request);
/* False: nothing was done, as an OP_WRITE of a spooled file goes to the spool. */
bool hub_write(struct hub *hub, struct handle *handle, struct request *request, const void *bytes,
	       uint64_t offset);
void hub_flush(struct hub *hub, struct handle *handle, struct request *request,
	       enum handle_close close);
void hub_sync(struct hub *hub, struct handle *handle, struct request *request);
bool hub_can_finish(struct hub *hub, const struct handle *handle);
void hub_finish(struct hub *hub, struct handle *handle, struct request *request);
/* The request, which may be NULL, is delivered when there is something new. Returns the current
 * events. */
short hub_poll(struct hub *hub, struct handle *handle, struct request *request);

void hub_release(struct hub *hub, struct handle *handle);

/* spool_file.c's calls. `begin`: the file is about to be written to. For a file that was opened
 * with O_NONBLOCK, hub_is_spooled is true only after a call with `begin`. */
bool hub_is_spooled(struct hub *hub, struct handle *handle, bool begin);
bool hub_is_unoffered(struct hub *hub, struct handle *handle);
int hub_spool_error(struct hub *hub, const struct handle *handle);
void hub_upload_wait(struct hub *hub, uint64_t number, struct request *request);
int hub_upload_part(struct hub *hub, uint64_t number, struct offer_part *part);
void hub_upload_set_digest(struct hub *hub, uint64_t number, const struct digest *digest);
void hub_upload_write(struct hub *hub, uint64_t number, struct request *request, const void *bytes);
void hub_upload_end(struct hub *hub, uint64_t number, int error);

/* inbox_file.c's calls, for the inbox. */
void hub_download_decline(struct hub *hub, uint64_t ino, int error);
bool hub_download_is_offered(struct hub *hub, uint64_t ino);
int hub_download_continue(struct hub *hub, uint64_t ino, uint64_t offset, struct hash *hash);
void hub_download_begin(struct hub *hub, uint64_t ino, const char *path, uint64_t size,
			struct request *request);
void hub_download_read(struct hub *hub, uint64_t ino, bool synced, struct request *request);
void hub_download_answer_page(struct hub *hub, uint64_t ino, uint64_t first, const uint8_t *digests,
			      size_t length);
int hub_download_error(struct hub *hub, uint64_t ino);
bool hub_download_digest(struct hub *hub, uint64_t ino, uint8_t *digest);
int hub_download_name(struct hub *hub, uint64_t ino, const char *path);
int hub_download_end(struct hub *hub, uint64_t ino, const char *path, int error);
void hub_download_set_journaled(struct hub *hub, uint64_t ino, bool journaled);
int hub_restore_inbox_file(struct hub *hub, const struct inbox_path *path, uint64_t size,
			   const struct timespec *modified);
int hub_resume_inbox_file(struct hub *hub, const struct inbox_path *path, const char *part,
			  const struct stream_facts *facts, uint64_t *ino);

/* ibb_restore_verdict. */
void hub_restore_verdict(struct hub *hub, const char *peer, const char *sid,
			 enum condition verdict);

/* inbox_part.c's calls, and parts_sum. */
void hub_restore_part(struct hub *hub, const char *path, const struct stat *status);
void hub_use_part(struct hub *hub, const char *path);
void hub_leave_part(struct hub *hub, const char *path, const struct stat *status);
void hub_show_part(struct hub *hub, const char *path);
void hub_remove_part(struct hub *hub, const char *path);
bool hub_take_oldest_part(struct hub *hub, char *path, size_t size);
uint64_t hub_sum_parts(struct hub *hub, uint64_t block, uint64_t *files);

/* inbox_entry_next, inbox_entry_remove. */
bool hub_next_inbox_file(struct hub *hub, uint64_t *ino, char *path, size_t size);
void hub_remove_inbox_file(struct hub *hub, uint64_t ino);

bool hub_is_complete_inbox_file(struct hub *hub, const struct handle *handle);
int hub_find_inbox_file(struct hub *hub, uint64_t parent, const char *name, char *path,
			size_t size);
void hub_forget_inbox_file(struct hub *hub, uint64_t parent, const char *name, const char *path);
void hub_refresh_inbox_file(struct hub *hub, uint64_t parent, const char *name, const char *path,
			    const struct stat *status);

/* ---- calls that wait for a disk ---- */

/* Delivers the request with an error, instead of hub_disk_wait. */
void hub_disk_fail(struct hub *hub, struct request *request, int error);

/* The request is the hub's until it is delivered: by one of the calls below that end it, with
 * -EINTR, or with -ECONNABORTED when the mount ends. `handle` is the handle that the request is
 * for, or NULL. op.data belongs to the request. To be called before the disk is given the token. */
void hub_disk_wait(struct hub *hub, struct handle *handle, struct request *request);

bool hub_waits_for_disk(struct hub *hub, uint64_t token);

/* Whether the call still waits; *bytes, if not NULL: op.data, the caller's now. */
bool hub_disk_take(struct hub *hub, uint64_t token, uint8_t **bytes);

/* Ends the call with `result`; takes `bytes` over, the data of a read, or NULL. False: it does not
 * wait any more, and `bytes` is still the caller's. */
bool hub_disk_end(struct hub *hub, uint64_t token, ssize_t result, uint8_t *bytes);

/* Before the spool, of `size` bytes, is written to from `offset` on, or made as long. Takes op.data
 * to *bytes. -ECANCELED: the call does not wait any more; or spool_file_begin_write's errors. */
int hub_spool_begin(struct hub *hub, uint64_t token, uint64_t size, uint64_t offset,
		    uint8_t **bytes);

/* And after: the size is now `size`. As hub_disk_end. */
bool hub_spool_end(struct hub *hub, uint64_t token, ssize_t result, uint64_t size);

/* spool_file_offer; the call waits for its end. 0, too: it does not wait any more. */
uint64_t hub_offer(struct hub *hub, uint64_t token, uint64_t size, const struct digest *md5);

/* release_unattended and release_handle, of the handle with that sid, if it is still there: no
 * process has it any more. */
uint64_t hub_offer_left(struct hub *hub, const char *sid, uint64_t size, const struct digest *md5);
void hub_release_left(struct hub *hub, const char *sid);

/* inbox_entry_path. -ECANCELED: the call does not wait any more. */
int hub_inbox_path(struct hub *hub, uint64_t token, char *path, size_t size);

/* inbox_entry_readable. 0, too: the call does not wait any more. */
uint64_t hub_inbox_readable(struct hub *hub, uint64_t token);

/* Ends an open; takes `reader` over. As hub_disk_end. */
bool hub_inbox_opened(struct hub *hub, uint64_t token, struct inbox_reader *reader);

/* Returns the reader that the handle has then: another thread may have been first. NULL: the mount
 * has ended, and the handle is gone. */
struct inbox_reader *hub_add_inbox_reader(struct hub *hub, struct handle *handle,
					  struct inbox_reader *reader);
struct inbox_reader *hub_take_inbox_reader(struct hub *hub, struct handle *handle);

/* node_path of the node that `handle` has opened. */
int hub_path(struct hub *hub, const struct handle *handle, char *path, size_t size);

/* Whether the request with that token is parked; *note is its note then. */
bool hub_is_parked(struct hub *hub, uint64_t token, uint64_t *note);

/* Interrupts the request with that token, if it is parked. */
void hub_interrupt(struct hub *hub, uint64_t token);

#endif
