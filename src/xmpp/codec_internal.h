/* SPDX-License-Identifier: MIT */
/*
 * codec_internal - the files that codec.c calls: codec_error.c (stanza errors), codec_ibb.c
 * (bytestreams), codec_info.c (disco#info), codec_si.c (stream initiation), codec_jingle.c (Jingle)
 * and codec_file.c (the metadata of a file, for the last two).
 *
 * A function that decodes a request returns CONDITION_NONE, or the condition that answers a
 * malformed one. Then only the detail in `msg` is valid.
 *
 * Threads: the XMPP thread.
 */
#ifndef XMPP_CODEC_INTERNAL_H
#define XMPP_CODEC_INTERNAL_H

#include "xmpp/codec.h"

/* ---- codec_error.c ---- */

/* The <error/> of an iq or message, which some clients leave out. */
void codec_decode_error(xmpp_stanza_t *stanza, struct msg *msg);

void codec_add_error(struct codec *codec, const struct msg *msg);

/* ---- codec_ibb.c ---- */

enum condition codec_decode_open(struct codec *codec, xmpp_stanza_t *open, struct msg *msg);
enum condition codec_decode_data(struct codec *codec, xmpp_stanza_t *data, struct msg *msg);
enum condition codec_decode_close(struct codec *codec, xmpp_stanza_t *close, struct msg *msg);
enum condition codec_decode_resume(struct codec *codec, xmpp_stanza_t *resume, struct msg *msg);
enum condition codec_decode_skip(struct codec *codec, xmpp_stanza_t *skip, struct msg *msg);
enum condition codec_decode_pieces(struct codec *codec, xmpp_stanza_t *pieces, struct msg *msg);

/* A <message/>, as codec_decode does. */
bool codec_decode_message(struct codec *codec, xmpp_stanza_t *message, struct msg *msg);

void codec_add_open(struct codec *codec, const struct msg *msg);
void codec_add_data(struct codec *codec, const struct msg *msg);
void codec_add_close(struct codec *codec, const struct msg *msg);
void codec_add_resume(struct codec *codec, const struct msg *msg);
void codec_decode_resumed(xmpp_stanza_t *resume, struct msg *msg);
void codec_add_skip(struct codec *codec, const struct msg *msg);
void codec_add_pieces(struct codec *codec, const struct msg *msg);
enum condition codec_decode_sync(struct codec *codec, xmpp_stanza_t *sync, struct msg *msg);
void codec_add_sync(struct codec *codec, const struct msg *msg);

/* A <pieces/> in a result: we may have pieces of the file, or these are their digests. */
void codec_add_page(struct codec *codec, const struct msg *msg);
void codec_decode_page(struct codec *codec, xmpp_stanza_t *pieces, struct msg *msg);

/* ---- codec_info.c ---- */

/* XEP-0115 section 6.2: the request has the node of our presence, or none. */
enum condition codec_decode_info(struct codec *codec, xmpp_stanza_t *query, struct msg *msg);

/* The features in the answer to a request of ours. */
void codec_decode_features(xmpp_stanza_t *iq, struct msg *msg);

/* A request, and the answer to one. */
void codec_add_info(struct codec *codec, const struct msg *msg);
void codec_add_info_answer(struct codec *codec, const struct msg *msg);

/* ---- codec_si.c ---- */

enum condition codec_decode_si(struct codec *codec, xmpp_stanza_t *si, struct msg *msg);

/* An <si/> in a result. */
void codec_decode_si_answer(struct codec *codec, xmpp_stanza_t *si, struct msg *msg);

void codec_add_si(struct codec *codec, const struct msg *msg);
void codec_add_si_answer(struct codec *codec, const struct msg *msg);

/* ---- codec_jingle.c ---- */

enum condition codec_decode_jingle(struct codec *codec, xmpp_stanza_t *jingle, struct msg *msg);

void codec_add_jingle(struct codec *codec, const struct msg *msg);

/* ---- codec_file.c ---- */

/* Makes codec->metadata those of `msg`, with nothing in them yet. */
struct metadata *codec_new_metadata(struct codec *codec, struct msg *msg);

/* False: `text` is no size. NULL is none. */
bool codec_decode_size(const char *text, struct file_metadata *file);

/* METADATA_NO_DATE if it is no date. */
void codec_decode_date(const char *text, struct file_metadata *file);

/* The <range/> in `parent`, if there is one. False: it is malformed. */
bool codec_decode_range(xmpp_stanza_t *parent, const char *namespace, struct file_metadata *file);

/* The text of a child; NULL if there is no such child, or it is empty. */
const char *codec_decode_phrase(struct codec *codec, xmpp_stanza_t *parent, const char *name,
				const char *namespace);

/* Adds nothing if `text` is NULL. */
void codec_add_element(struct writer *writer, const char *name, const char *text);

/* Adds nothing if there is none. */
void codec_add_range(struct writer *writer, const struct file_metadata *file);

#endif
