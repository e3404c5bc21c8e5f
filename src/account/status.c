/* SPDX-License-Identifier: MIT */
#include "account/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#define CELL 16

/* A rate is measured over at least this time. */
#define SAMPLE_MS 500

/* "1.5 MiB", as ls -h would have it. */
static const char *size_text(char cell[CELL], uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;
	while (value >= 1024) {
		value /= 1024;
		unit++;
	}
	snprintf(cell, CELL, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	return cell;
}

static const char *rate_text(char cell[CELL], uint64_t bytes_per_s)
{
	char size[CELL];
	snprintf(cell, CELL, "%.13s/s", size_text(size, bytes_per_s));
	return cell;
}

/* "1:02:03", or "2:03". */
static const char *time_text(char cell[CELL], uint64_t seconds)
{
	unsigned hours = (unsigned)(seconds / 3600 % 100000), minutes = seconds / 60 % 60;
	if (hours > 0) {
		snprintf(cell, CELL, "%u:%02u:%02u", hours, minutes, (unsigned)(seconds % 60));
	} else {
		snprintf(cell, CELL, "%u:%02u", minutes, (unsigned)(seconds % 60));
	}
	return cell;
}

/* Of a file that broke off. */
static bool is_part(const struct node *node)
{
	return node->inbox.state == INBOX_PART && node->parent;
}

static bool has_row(const struct node *node)
{
	return node->file.stream || node->file.offer || is_part(node);
}

/* Bytes that we or the peer have acknowledged, and those of an offered file before them, which were
 * there already. */
static uint64_t progress(const struct node *node)
{
	const struct stream *stream = node->file.stream;
	return (node->file.offer ? node->file.offer->offset : 0) +
	       (stream->is_incoming ? stream->incoming.receiver.received
				    : stream->outgoing.sender.acknowledged);
}

/* Bytes per second since the last sample. */
static uint64_t measure_rate(struct node *node, int64_t now_ms)
{
	struct sample *sample = &node->file.sample;
	uint64_t bytes = progress(node);
	int64_t elapsed_ms = now_ms - sample->taken_ms;
	if (elapsed_ms >= SAMPLE_MS) {
		sample->rate = (bytes - sample->bytes) * 1000 / (uint64_t)elapsed_ms;
		sample->bytes = bytes;
		sample->taken_ms = now_ms;
	}
	return sample->rate;
}

/* The announced size, or -1. */
static int64_t announced(const struct node *node)
{
	if (node->file.offer) {
		return node->file.offer->size;
	}
	return node->file.stream ? node->file.stream->session.announced_size : -1;
}

static const char *state_name(const struct node *node, const struct summary *summary)
{
	bool suspended = node->file.stream && node->file.stream->resumption.suspended;
	bool waits = node->kind == NODE_ARRIVED && !node->file.opened && !node->file.offer;
	return waits && !suspended ? "waiting" : summary->state;
}

/* "next attempt in 0:05": rounded up to seconds. */
static void write_time(FILE *out, const char *text, int64_t when_ms, int64_t now_ms)
{
	char cell[CELL];
	int64_t left_ms = when_ms > now_ms ? when_ms - now_ms : 0;
	fprintf(out, "%s%s", text, time_text(cell, ((uint64_t)left_ms + 999) / 1000));
}

/* The peer; for a part that was there before we started, the contact. */
static const char *peer_of(const struct node *node, const struct summary *summary)
{
	const struct node *in = is_part(node) ? node_above_folders(node->parent) : NULL;
	const char *contact = in ? in->parent->directory.jid : "no peer yet";
	return summary->peer ? summary->peer : contact;
}

static void write_stream(FILE *out, struct node *node, int64_t now_ms)
{
	const struct stream *stream = node->file.stream;
	struct summary summary = stream_file_summarize(&node->file);
	char path[2048], done[CELL], total[CELL] = "-", speed[CELL] = "-", left[CELL] = "-";
	int64_t size = announced(node);
	uint64_t bytes = stream ? progress(node) : is_part(node) ? node->file.size : 0;

	if (node_path(node, path, sizeof(path)) < 0) {
		snprintf(path, sizeof(path), "%s (removed)", node->name);
	}
	if (stream && !stream_is_over(stream)) {
		uint64_t rate = measure_rate(node, now_ms);
		rate_text(speed, rate);
		if (size >= 0 && (uint64_t)size >= bytes && rate > 0) {
			time_text(left, ((uint64_t)size - bytes) / rate);
		}
	}
	if (size >= 0) {
		size_text(total, (uint64_t)size);
	}
	fprintf(out, "%-4s %-9s %11s %11s %13s %8s  %s  (%s)",
		node->kind == NODE_ARRIVED ? "in" : "out", state_name(node, &summary),
		size_text(done, bytes), total, speed, left, path, peer_of(node, &summary));
	if (stream && stream->resumption.suspended &&
	    stream->resumption.next_attempt_ms != STREAM_NO_DEADLINE) {
		write_time(out, ", next attempt in ", stream->resumption.next_attempt_ms, now_ms);
	}
	if (stream && stream->resumption.suspended) {
		write_time(out, ", given up in ", stream->resumption.give_up_ms, now_ms);
	}
	fputc('\n', out);
}

/* Before the first row. */
static void write_heading(FILE *out, unsigned *rows)
{
	if ((*rows)++ == 0) {
		fprintf(out, "\n%-4s %-9s %11s %11s %13s %8s  %s\n", "", "STATE", "BYTES", "OF",
			"RATE", "LEFT", "STREAM (PEER)");
	}
}

static unsigned count_streams(const struct account *account)
{
	struct node *node, *next;
	unsigned streams = 0;
	HASH_ITER (hh, account->tree.nodes, node, next) {
		streams += node->file.stream || node->file.offer;
	}
	return streams;
}

void status_line(const struct account *account, char *line, size_t size)
{
	unsigned streams = count_streams(account);
	snprintf(line, size, "%s: %s%s%s, %u stream%s", account->jid,
		 account->online ? "online" : "down", account->reason ? ": " : "",
		 account->reason ? account->reason : "", streams, streams == 1 ? "" : "s");
}

int status_text(const struct account *account, int64_t now_ms, char **text, size_t *length)
{
	struct node *node, *next;
	unsigned streams = count_streams(account), rows = 0;
	FILE *out = open_memstream(text, length);
	if (!out) {
		return -ENOMEM;
	}
	fprintf(out, "account     %s\n", account->jid);
	fprintf(out, "connection  %s%s%s", account->online ? "online" : "down",
		account->reason ? ": " : "", account->reason ? account->reason : "");
	if (account->retry_ms > now_ms) {
		write_time(out, ", next attempt in ", account->retry_ms, now_ms);
	}
	fputc('\n', out);
	fprintf(out, "streams     %u\n", streams);
	HASH_ITER (hh, account->tree.nodes, node, next) {
		if (has_row(node)) {
			write_heading(out, &rows);
			write_stream(out, node, now_ms);
		}
	}
	if (fclose(out)) {
		free(*text);
		return -ENOMEM;
	}
	return 0;
}
