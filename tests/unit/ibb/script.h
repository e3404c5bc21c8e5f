/* SPDX-License-Identifier: MIT */
/*
 * script - the bytestreams of an account, played from lines of text.
 *
 * A step is an act and its results:
 *
 *     {"dial s j; open s op", "o1.0 open j s 8"},
 *     {"j: result o1.0", "op=0"},
 *     {"write s w 5", "w=5; d1.0 data j s 0 5"},
 *
 * Acts on the user's side (S is a stream, called by its sid; OP is a word for a call):
 *
 *     create S; dial S PEER [ibbfs] [resume] [sync] [name=NAME] (creates S if need be); reading S
 *     await S; offered S
 *     take S         the oldest stream that arrived, from now on called S
 *     open S OP; flush S OP; write S OP BYTES; read S OP BYTES; zeros S BYTES
 *     finish S OP    the flush of the last writer
 *     try-write S OP BYTES; try-read S OP BYTES       O_NONBLOCK
 *     sync-write S OP BYTES                           O_DSYNC
 *     interrupt OP; release S; reset S (releases it, not in good order); abort S
 *     defer S; commit S; keep S; full S      it is stored; its disk is full
 *     syncs S; synced S      it becomes durable when asked for
 *     restore S PEER BLOCKS; journaled S; hand-over [all]    restarts
 *     verdict PEER S [CONDITION]      an earlier process has answered <close/>
 *     part S BYTES; page S FIRST COUNT; wrong S       its NAME.part; digests of that; it is spoilt
 *     sender S PEER    whether its sender is there, as PEER opens another one for the same file
 *     gone PEER; back PEER; disconnect; connect; wait MS
 *     limit BYTES    the server takes no longer stanzas
 *     hold; next; go    messages stay until asked for, one by one; no longer so
 *     state S; can S; size S; deadline; drained; count
 *
 * and on the wire ("PEER!" for "PEER:" is one who is not allowed to open streams):
 *
 *     PEER: open S ID BLOCK-SIZE [message] [name=NAME] [size=BYTES] [resume] [pieces]
 *     PEER: data S ID SEQ BYTES|bad [message] [from=PLACE] (where its bytes are from)
 *     PEER: close S ID [reset] [size=BYTES] [digest]; PEER: resume S ID [seq=SEQ]; PEER: ping ID
 *     PEER: skip S ID SEQ BYTES; PEER: pieces S ID FIRST
 *     PEER: sync S ID BYTES
 *     PEER: result ID pieces [size=BYTES] [page=PIECES]: each is r (right) or w, from the first on
 *     PEER: unknown ID; PEER: result ID [seq=SEQ]; PEER: error ID CONDITION [TYPE]; PEER: bounce ID
 * CONDITION
 *
 * The results: OP=RESULT, a number or an errno's name, for each call that is completed, of a read
 * also "skip END", "page FIRST" or "sync"; then each message that is sent, as "ID KIND PEER ...";
 * then the answer to a query.
 *
 * Bytes are a pattern that depends on their offset. All bytes that are read or sent are checked
 * against it. It is also checked that no call is completed twice, and that no stream holds more
 * than it may.
 *
 * Units:   bytes; ms of the script's own clock.
 * Threads: none.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "ibb/ibb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_TIMEOUT_MS   60000
#define SCRIPT_RECONNECT_MS 30000
#define SCRIPT_MOST_BYTES   ((size_t)2 * 1024 * 1024) /* of one write */

struct script_step {
	const char *act, *expect;
};

/* A stream by its name. */
struct script_stream {
	char name[16];
	struct stream *stream; /* NULL once released */
	uint64_t number;
	unsigned session; /* of the last block */
	uint64_t read, sent;
	uint64_t starts[64]; /* of the first blocks */
	uint64_t gaps[4][2]; /* from, to: the zeros among the bytes written */
	size_t gaps_length;
};

struct script_op {
	struct op op; /* first */
	char name[16];
	unsigned completed;
	struct script_stream *stream;
};

/* What a peer has sent. */
struct script_feed {
	char peer[64], sid[16];
	uint64_t sent;
};

struct script {
	struct ibb ibb;
	int64_t now_ms;
	bool holds;
	struct script_stream streams[8];
	size_t streams_length;
	struct script_op ops[64];
	size_t ops_length;
	struct script_feed feeds[16];
	size_t feeds_length;
	char out[4096];
};

/* The byte at an offset of every stream, in either direction. */
uint8_t script_pattern(uint64_t place);

/* Small blocks and buffers: a block of 8, a window of 16, a buffer of 32. */
extern const struct stream_config script_config;

void script_start(struct script *script, const struct stream_config *config, unsigned max_streams);

/* Disconnects; every call must have been completed once. */
void script_finish(struct script *script);

/* Plays `act`, several of which are separated by "; "; returns the results, valid until the next
 * call. */
const char *script_play(struct script *script, const char *act);

/* Plays each step; fails with the first step whose results differ. */
void script_run(struct script *script, const struct script_step *steps, size_t count);

/* A whole test, with script_config and 16 streams at most. */
void script_test(const struct script_step *steps, size_t count);

#define STEPS(name) static const struct script_step name[]
#define PLAY(steps) script_test(steps, sizeof(steps) / sizeof((steps)[0]))

#endif
