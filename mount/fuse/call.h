/* SPDX-License-Identifier: MIT */
/*
 * call - a request of the kernel that may wait, until the hub delivers it.
 *
 * Threads: the main thread begins it; it ends in whichever thread finished it.
 * Source:  libfuse's fuse_lowlevel.h.
 */
#ifndef MOUNT_FUSE_CALL_H
#define MOUNT_FUSE_CALL_H

#include "account/handle.h"
#include "mount/disk/spool_ops.h"
#include "mount/fuse/interrupts.h"
#include "mount/hub.h"
#include "mount/process/caller.h"

#include <fuse_lowlevel.h>

/* The session's userdata, which every call needs; immutable, but for the directories. */
struct call_context {
	struct hub *hub;
	struct spool_place spool;
	struct inbox *inbox; /* or NULL */
	struct interrupts *interrupts;
	struct closes *closes;
	struct open_directory *directories; /* ops_directories.c */
};

/* What a close does, besides waiting for what was written. */
enum close_end {
	CLOSE_SHARED, /* nothing: others may write, or do */
	CLOSE_LAST,   /* ends the stream, or offers the file */
	CLOSE_KILLED, /* breaks the stream, if it is the last one: a signal kills the process */
};

struct call {
	struct request request; /* first */
	fuse_req_t req;
	struct hub *hub;
	bool reads;	       /* open */
	uint64_t opened;       /* open: when it came (writers.h); 0: not for writing */
	off_t offset;	       /* read */
	struct handle *handle; /* read, flush, setattr */
	pid_t pid;	       /* open, flush */

	/* flush */
	struct call *prev, *next; /* closes.calls, or closes.judged, */
	size_t at;		  /* whose number it has there */
	uint64_t table;		  /* the kernel's number of the caller's descriptor table */
	fuse_ino_t ino;
	enum close_end ending;
	enum caller_fate fate;
	bool held;	  /* until it is known whether a signal kills the process */
	bool has_writers; /* SHARED: others do */
	bool spooled;	  /* and not KILLED */
};

/* A signal may have come before the call: then libfuse has called on_interrupt in call_begin, when
 * the hub did not know the token yet. The call may be freed once it is submitted, so this struct is
 * a copy for call_apply. */
struct early_signal {
	const struct call_context *context;
	enum op_kind kind;
	uint64_t token;
	pid_t pid;
	bool came;
};

const struct call_context *call_context_of(fuse_req_t req);
struct hub *call_hub_of(fuse_req_t req);
struct handle *call_handle_of(const struct fuse_file_info *info);

/* NULL: memory is short, and ENOMEM is answered. */
struct call *call_begin(fuse_req_t req, enum op_kind kind, size_t size, bool nonblock,
			void (*deliver)(struct request *));

/* The same, for a call that only waits for a disk; and for a call that is the first member of a
 * struct of `bytes` bytes, whose rest becomes zero. */
struct call *call_begin_disk(fuse_req_t req, enum op_kind kind, size_t size,
			     void (*deliver)(struct request *));
struct call *call_begin_sized(fuse_req_t req, size_t bytes, enum op_kind kind,
			      void (*deliver)(struct request *));

/* Before the call is submitted, and after. */
struct early_signal call_early_signal(const struct call *call);
void call_apply(struct early_signal early);

struct call *call_of(struct request *request);

/* Frees a call that is answered. */
void call_end(struct call *call);

/* For call_begin: the answer is an error, or that there is none. */
void call_deliver_status(struct request *request);

#endif
