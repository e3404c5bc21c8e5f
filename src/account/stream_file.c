/* SPDX-License-Identifier: MIT */
#include "account/stream_file.h"

#include <stdlib.h>
#include <string.h>

void stream_file_finish(struct stream_file *file)
{
	stream_follow(NULL, &file->ending);
	free(file->summary.sid);
	free(file->summary.peer);
}

/* NULL: of no offer. */
static enum format format_of(const struct offer *offer)
{
	if (!offer) {
		return FORMAT_RAW;
	}
	return offer->format == OFFER_SI ? FORMAT_SI : FORMAT_JINGLE;
}

static struct summary summarize_offer(const struct offer *offer)
{
	return (struct summary){
		.state = offer_state_name(offer),
		.error = offer->error,
		.sid = offer->sid,
		.peer = offer->peer,
		.block_size = offer->session.block_size,
		.format = format_of(offer),
	};
}

struct summary stream_file_summarize(const struct stream_file *file)
{
	const struct stream *stream = file->stream;
	const struct offer *offer = file->offer;
	if (!stream && offer) {
		return summarize_offer(offer);
	}
	if (!stream) {
		struct summary summary = file->summary;
		if (file->ending.error) {
			summary.state = "broken";
			summary.error = file->ending.error;
		}
		return summary;
	}
	const char *state = offer ? offer_state_name(offer) : NULL;
	return (struct summary){
		.state = state ? state : stream_state_name(stream),
		.error = offer && offer_is_over(offer) ? offer->error : stream->error,
		.sid = stream->sid,
		.peer = offer ? offer->peer : stream->peer,
		.format = format_of(offer),
		.block_size = stream->session.block_size,
		.stanza = stream->session.stanza,
		.sent = stream->outgoing.sender.acknowledged,
		.received = stream->incoming.receiver.received,
		.window = stream->outgoing.window.size,
	};
}

void stream_file_keep_summary(struct stream_file *file)
{
	struct summary summary = stream_file_summarize(file);
	if (!file->offer && file->stream && file->stream->state == STREAM_CLOSING &&
	    stream_is_delivered(file->stream)) {
		/* Even if <close/> is not answered yet. */
		summary.state = "finished";
	}
	summary.sid = summary.sid ? strdup(summary.sid) : NULL;
	summary.peer = summary.peer ? strdup(summary.peer) : NULL;
	free(file->summary.sid);
	free(file->summary.peer);
	file->summary = summary;
}

bool stream_file_has_session(const struct stream_file *file)
{
	return file->stream || file->offer || file->summary.state;
}

uint64_t stream_file_size(const struct stream_file *file)
{
	const struct stream *stream = file->stream;
	if (!stream || file->spooled) {
		return file->size;
	}
	if (stream->session.announced_size >= 0) {
		return (uint64_t)stream->session.announced_size;
	}
	/* The count of bytes so far would be wrong: wc and rsync would take them for the whole
	 * file. */
	if (stream->is_incoming && stream->state != STREAM_CLOSED) {
		return 0;
	}
	return stream_size(stream);
}
