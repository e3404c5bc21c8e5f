/* SPDX-License-Identifier: MIT */
/*
 * codec_internal - what the parts of the codec share: codec.c (which stanza is what), codec_ibb.c
 * (bytestreams) and codec_info.c (disco#info).
 *
 * What decodes a request returns CONDITION_NONE, or what is wrong with it; what it leaves in `msg`
 * then is dropped.
 *
 * Threads: the XMPP thread.
 */
#ifndef XMPP_CODEC_INTERNAL_H
#define XMPP_CODEC_INTERNAL_H

#include "xmpp/codec.h"

/* ---- codec.c ---- */

/* The <error/> of an iq or message, which some clients leave out. */
void codec_decode_error(xmpp_stanza_t *stanza, struct msg *msg);

/* ---- codec_ibb.c ---- */

enum condition codec_decode_open(struct codec *codec, xmpp_stanza_t *open, struct msg *msg);
enum condition codec_decode_data(struct codec *codec, xmpp_stanza_t *data, struct msg *msg);
enum condition codec_decode_close(struct codec *codec, xmpp_stanza_t *close, struct msg *msg);
enum condition codec_decode_resume(struct codec *codec, xmpp_stanza_t *resume, struct msg *msg);

/* A <message/>, as codec_decode does. */
bool codec_decode_message(struct codec *codec, xmpp_stanza_t *message, struct msg *msg);

void codec_add_open(struct output *output, const struct msg *msg);
void codec_add_data(struct output *output, const struct msg *msg);
void codec_add_close(struct output *output, const struct msg *msg);
void codec_add_resume(struct output *output, const struct msg *msg);

/* ---- codec_info.c ---- */

/* XEP-0115 section 6.2: whoever read our presence asks for the node in it. */
enum condition codec_decode_info(struct codec *codec, xmpp_stanza_t *query, struct msg *msg);

/* What an <iq/> says that answers ours. */
void codec_decode_features(xmpp_stanza_t *iq, struct msg *msg);

/* `content` is NULL in a request. */
void codec_add_info(struct output *output, const char *node, const char *content);

#endif
