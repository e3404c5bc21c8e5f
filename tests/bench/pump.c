/* SPDX-License-Identifier: MIT */
/*
 * pump - the limit that a server sets: prepared stanzas, a fixed window, two sockets with TLS.
 *
 *     pump [options] bulk       --bytes in blocks, round robin over --streams
 *     pump [options] files      --count times open, data, close, each after the answer to the last;
 *                               so many files --at-once
 *     pump [options] pingpong   --count round trips of a byte; with --beside, beside a bulk
 *
 *     --accounts FILE    lines "FULL_JID PASSWORD": who sends, who receives
 *     --ports A,B        where each connects on 127.0.0.1
 *     --cafile FILE      who vouches for the server
 *     --block N --window N --bytes N --streams N --count N --at-once N --beside
 *     --piece N          bulk: a TLS record has N bytes, filled with spaces; 0: as many as there
 * are
 *
 * Both ends are in this process, a thread and a connection each. What arrives is compared with
 * what was sent while the clock runs; decoded and hashed after it has stopped. Prints a line of
 * JSON; cpu_s is both ends'.
 */
#include "connection.h"
#include "responder.h"
#include "ring.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct options {
	const char *accounts;
	const char *cafile;
	int ports[2];
	size_t block, window, piece, bytes, streams, count, at_once;
	bool beside;
};

struct prepared {
	char *text;
	size_t length;
	size_t id, seq, sid; /* where the digits are */
};

struct sender {
	struct connection connection;
	struct prepared blocks[RING_BLOCKS];
	char peer[JID_MAX];
	size_t streams;
	size_t window;
	size_t sent, acknowledged; /* blocks */
	size_t answered;	   /* requests other than blocks */
	size_t pinged;		   /* bytes that came back */
	size_t file_block;	   /* bytes of each file; 0: no files are sent */
	size_t files;
	size_t next_file;
};

/* ---- clocks ---- */

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double cpu(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* ---- stanzas ---- */

static void prepare(struct sender *s, const struct ring *ring)
{
	struct text text = {0};
	for (size_t i = 0; i < RING_BLOCKS; i++) {
		text.length = 0;
		text_printf(&text,
			    "<iq type='set' id='d00000000' to='%s'><data xmlns='" NS_IBB
			    "' seq='00000' sid='" SID_PREFIX "0000'>%.*s</data></iq>",
			    s->peer, (int)ring->text_length, ring_text(ring, i));
		struct prepared *p = &s->blocks[i];
		p->text = malloc(text.length);
		if (!p->text) {
			die("out of memory");
		}
		memcpy(p->text, text.data, text.length);
		p->length = text.length;
		p->id = (size_t)(strstr(text.data, "id='d") - text.data) + 5;
		p->seq = (size_t)(strstr(text.data, "seq='") - text.data) + 5;
		p->sid = (size_t)(strstr(text.data, "sid='") - text.data) + 5 + sizeof(SID_PREFIX) -
			 1;
	}
	free(text.data);
}

static void put_digits(char *at, size_t digits, size_t base, size_t value)
{
	while (digits-- > 0) {
		at[digits] = "0123456789abcdef"[value % base];
		value /= base;
	}
}

static void send_block(struct sender *s, size_t number)
{
	const struct prepared *p = &s->blocks[number % RING_BLOCKS];
	char *start = text_grow(&s->connection.out, p->length);
	memcpy(start, p->text, p->length);
	put_digits(start + p->id, 8, 16, number);
	put_digits(start + p->seq, 5, 10, number / s->streams % 65536);
	put_digits(start + p->sid, SID_DIGITS, 16, number % s->streams);
	s->sent++;
}

static void send_open(struct sender *s, size_t stream, size_t block)
{
	text_printf(&s->connection.out,
		    "<iq type='set' id='o%08zx' to='%s'><open xmlns='" NS_IBB
		    "' block-size='%zu' stanza='iq' sid='" SID_PREFIX "%04zx'/></iq>",
		    stream, s->peer, block, stream);
}

static void send_close(struct sender *s, size_t stream)
{
	text_printf(&s->connection.out,
		    "<iq type='set' id='c%08zx' to='%s'><close xmlns='" NS_IBB "' sid='" SID_PREFIX
		    "%04zx'/></iq>",
		    stream, s->peer, stream);
}

static void send_ping(struct sender *s, size_t number)
{
	text_printf(&s->connection.out,
		    "<iq type='set' id='d%08zx' to='%s'><data xmlns='" NS_IBB
		    "' seq='%zu' sid='" SID_PREFIX "%04x'>Kg==</data></iq>",
		    number | 0x80000000, s->peer, number % 65536, PING_STREAM);
}

/* Files: open, data and close of one file, then the next file. */
static void continue_file(struct sender *s, char answered, size_t file)
{
	if (answered == 'o') {
		send_block(s, file);
	} else if (answered == 'd') {
		send_close(s, file);
	} else if (s->next_file < s->files) {
		send_open(s, s->next_file++, s->file_block);
	}
}

static void take_result(struct sender *s, const char *id)
{
	if (id[0] != 'd') {
		s->answered++;
	} else if (id[1] < '8') {
		s->acknowledged++;
	}
	if (s->file_block > 0) {
		continue_file(s, id[0], strtoul(id + 1, NULL, 16));
	}
}

static void take_stanza(struct sender *s, const char *stanza, size_t length)
{
	char type[16], id[64];
	if (strncmp(stanza, "<iq", 3) != 0 ||
	    !stanza_attribute(stanza, length, "type", type, sizeof(type)) ||
	    !stanza_attribute(stanza, length, "id", id, sizeof(id))) {
		return;
	}
	if (strcmp(type, "result") == 0) {
		take_result(s, id);
	} else if (strcmp(type, "set") == 0 && id[0] == 'p') {
		text_printf(&s->connection.out, "<iq type='result' id='%s' to='%s'/>", id, s->peer);
		s->pinged++;
	} else if (strcmp(type, "error") == 0) {
		die("sender: %.*s", (int)length, stanza);
	}
}

/* Writes all pending bytes, and takes the stanzas of at least one read. */
static void exchange(struct sender *s)
{
	connection_flush(&s->connection);
	connection_wait(&s->connection);
	const char *stanza;
	size_t length;
	while ((stanza = connection_stanza(&s->connection, &length)) != NULL) {
		take_stanza(s, stanza, length);
	}
}

static void fill_window(struct sender *s, size_t total)
{
	while (s->sent < total && s->sent - s->acknowledged < s->window) {
		send_block(s, s->sent);
	}
}

static void wait_answers(struct sender *s, size_t answers)
{
	while (s->answered < answers) {
		exchange(s);
	}
}

/* ---- what it can do ---- */

static void run_bulk(struct sender *s, const struct options *o)
{
	size_t blocks = o->bytes / o->block;
	double start = now();
	for (size_t i = 0; i < o->streams; i++) {
		send_open(s, i, o->block);
	}
	wait_answers(s, o->streams);
	double opened = now();
	double cpu_start = cpu();
	s->connection.piece = o->piece;
	while (s->acknowledged < blocks) {
		fill_window(s, blocks);
		exchange(s);
	}
	printf("{\"bytes\": %zu, \"open_seconds\": %.6f, \"seconds\": %.6f, \"cpu_s\": %.4f",
	       blocks * o->block, opened - start, now() - opened, cpu() - cpu_start);
}

static void run_files(struct sender *s, const struct options *o)
{
	double start = now();
	double cpu_start = cpu();
	s->file_block = o->block;
	s->files = o->count;
	while (s->next_file < o->at_once && s->next_file < s->files) {
		send_open(s, s->next_file++, s->file_block);
	}
	wait_answers(s, 2 * s->files);
	s->file_block = 0;
	printf("{\"files\": %zu, \"bytes\": %zu, \"seconds\": %.6f, \"cpu_s\": %.4f", o->count,
	       o->count * o->block, now() - start, cpu() - cpu_start);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void run_pingpong(struct sender *s, const struct options *o)
{
	double *times = calloc(o->count, sizeof(*times));
	if (!times) {
		die("out of memory");
	}
	send_open(s, PING_STREAM, o->block);
	send_open(s, 0, o->block);
	wait_answers(s, 2);
	if (o->beside) {
		while (s->acknowledged < 2 * o->window) { /* under way */
			fill_window(s, SIZE_MAX);
			exchange(s);
		}
	}
	double start = now();
	size_t before = s->acknowledged;
	for (size_t i = 0; i < o->count; i++) {
		double sent_at = now();
		send_ping(s, i);
		while (s->pinged <= i) {
			if (o->beside) {
				fill_window(s, SIZE_MAX);
			}
			exchange(s);
		}
		times[i] = now() - sent_at;
	}
	double seconds = now() - start;
	size_t bulk = s->acknowledged - before;
	while (s->acknowledged < s->sent) {
		exchange(s);
	}
	qsort(times, o->count, sizeof(*times), compare_doubles);
	printf("{\"round_trips\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"bytes\": %zu, "
	       "\"seconds\": %.6f",
	       o->count, 1e6 * times[o->count / 2], 1e6 * times[o->count * 99 / 100],
	       o->beside ? bulk * o->block : 0, seconds);
	free(times);
}

static void check_digest(const struct responder *r, size_t blocks)
{
	char sent[DIGEST_TEXT], received[DIGEST_TEXT];
	ring_digest(r->ring, blocks, sent);
	text_digest(r->ring, r->store, blocks, received);
	if (r->blocks != blocks || strcmp(sent, received) != 0) {
		die("%zu of %zu blocks, sha256 %s instead of %s", r->blocks, blocks, received,
		    sent);
	}
	printf(", \"sha256\": \"%s\"", received);
}

/* ---- command line ---- */

static size_t number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (*end != '\0' || end == text) {
		die("not a number: %s", text);
	}
	return value;
}

static const char *parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{"accounts", required_argument, NULL, 'a'}, {"ports", required_argument, NULL, 'p'},
		{"cafile", required_argument, NULL, 'c'},   {"block", required_argument, NULL, 'b'},
		{"window", required_argument, NULL, 'w'},   {"bytes", required_argument, NULL, 'n'},
		{"streams", required_argument, NULL, 's'},  {"count", required_argument, NULL, 'k'},
		{"at-once", required_argument, NULL, 'o'},  {"piece", required_argument, NULL, 'f'},
		{"beside", no_argument, NULL, 'B'},	    {NULL, 0, NULL, 0}};
	*o = (struct options){
		.block = 4096, .window = 16, .streams = 1, .count = 1000, .at_once = 1};
	int option;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'a':
			o->accounts = optarg;
			break;
		case 'p':
			if (sscanf(optarg, "%d,%d", &o->ports[0], &o->ports[1]) != 2) {
				die("not two ports: %s", optarg);
			}
			break;
		case 'c':
			o->cafile = optarg;
			break;
		case 'b':
			o->block = number(optarg);
			break;
		case 'w':
			o->window = number(optarg);
			break;
		case 'n':
			o->bytes = number(optarg);
			break;
		case 's':
			o->streams = number(optarg);
			break;
		case 'k':
			o->count = number(optarg);
			break;
		case 'o':
			o->at_once = number(optarg);
			break;
		case 'f':
			o->piece = number(optarg);
			break;
		case 'B':
			o->beside = true;
			break;
		default:
			exit(2);
		}
	}
	if (optind + 1 != argc || !o->accounts || !o->cafile || o->block == 0 || o->block > 65535 ||
	    o->window == 0 || o->streams == 0 || o->count == 0 || o->at_once == 0 ||
	    o->bytes % (o->block * o->streams) != 0) {
		die("wrong arguments; see the comment at the top of pump.c");
	}
	return argv[optind];
}

static void log_in(const struct options *o, struct connection *first, struct connection *second)
{
	struct connection *ends[] = {first, second};
	FILE *file = fopen(o->accounts, "r");
	if (!file) {
		die("%s: cannot be read", o->accounts);
	}
	for (size_t i = 0; i < 2; i++) {
		char jid[JID_MAX], password[JID_MAX];
		if (fscanf(file, "%255s %255s", jid, password) != 2) {
			die("%s: not two lines of JID and password", o->accounts);
		}
		connection_open(ends[i], jid, password, o->ports[i], o->cafile);
	}
	fclose(file);
}

int main(int argc, char **argv)
{
	struct options o;
	const char *mode = parse(&o, argc, argv);
	bool bulk = strcmp(mode, "bulk") == 0, files = strcmp(mode, "files") == 0;
	if (!bulk && !files && strcmp(mode, "pingpong") != 0) {
		die("no such mode: %s", mode);
	}
	struct ring ring;
	ring_create(&ring, o.block);
	struct sender s = {.streams = files ? o.count : o.streams, .window = o.window};
	size_t blocks = bulk ? o.bytes / o.block : files ? o.count : 0;
	struct responder r = {.ring = &ring, .streams = s.streams, .store_blocks = blocks};
	r.next_block = calloc(r.streams, sizeof(*r.next_block));
	r.store = calloc(blocks + 1, ring.text_length);
	if (!r.next_block || !r.store) {
		die("out of memory");
	}
	memset(r.store, 1, blocks * ring.text_length); /* its pages are there before the clock */
	log_in(&o, &s.connection, &r.connection);
	snprintf(s.peer, sizeof(s.peer), "%s", r.connection.jid);
	r.peer = s.connection.jid;
	prepare(&s, &ring);

	pthread_t thread;
	if (pthread_create(&thread, NULL, responder_run, &r)) {
		die("no thread");
	}
	if (bulk) {
		run_bulk(&s, &o);
	} else if (files) {
		run_files(&s, &o);
	} else {
		run_pingpong(&s, &o);
	}
	size_t answers = s.answered;
	send_close(&s, END_STREAM);
	wait_answers(&s, answers + 1);
	pthread_join(thread, NULL);
	if (blocks > 0) {
		check_digest(&r, blocks);
	}
	puts("}");
	connection_close(&s.connection);
	connection_close(&r.connection);
	for (size_t i = 0; i < RING_BLOCKS; i++) {
		free(s.blocks[i].text);
	}
	free(ring.text);
	free(r.store);
	free(r.next_block);
	return 0;
}
