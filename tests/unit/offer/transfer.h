/* SPDX-License-Identifier: MIT */
/*
 * transfer - the script that the tests of both formats share: a contact a@x with a phone, a file of
 * 12 bytes, and the stages of its transfer.
 */
#ifndef TEST_TRANSFER_H
#define TEST_TRANSFER_H

#include "ibb/hash.h"
#include "scene.h"

#define PHONE "a@x/phone"
#define TEXT  "Hello, world"

/* The functions of a format. */
struct transfer_format {
	enum feature feature; /* of the phone */
	const char *sid;      /* of incoming bytestreams */
	/* She offers the file "f" of 12 bytes. */
	void (*offer)(struct scene *scene);
	/* Our acceptance was sent. */
	void (*sees_accept)(struct scene *scene);
	bool checks; /* a read of the end waits for a digest */
};

/* An incoming file, up to this. */
enum transfer_stage {
	OFFERED,
	ACCEPTED,
	OPENED,
	HALF,
	WHOLE,
	STAGES
};

enum transfer_break {
	PEER_GONE,
	DISCONNECTED,
	SILENT, /* longer than every timeout */
	STOPPED,
	ABANDONED,
	BREAKS
};

/* a@x with her phone, which accepts files of the format. */
void transfer_start(struct scene *scene, const struct transfer_format *format);

struct digest transfer_digest(enum hash_algorithm algorithm, const char *text);

/* She sends a block, which is acknowledged. */
void transfer_block(struct scene *scene, const char *sid, unsigned seq, const char *text);

/* An incoming file "f", up to `stage`. *call: the open, or the read, that waits. */
struct handle *transfer_receive(struct scene *scene, const struct transfer_format *format,
				enum transfer_stage stage, struct call **call);

/* A spooled file of ours, open. */
struct handle *transfer_spool(struct scene *scene, const char *path);

void transfer_break(struct scene *scene, enum transfer_break how);

#endif
