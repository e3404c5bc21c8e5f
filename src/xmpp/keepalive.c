/* SPDX-License-Identifier: MIT */
#include "xmpp/keepalive.h"

/* Pings find out a server that is gone. They also bring out what an expat with CVE-2023-52425 fixed
 * holds back where reparse_deferral.c cannot turn that off: it looks at a tag that arrived in
 * pieces only after more input, for which the other side may be waiting in vain. */
#define PING_MS	    1000
#define PING_MAX_MS 60000

#define SILENCE_MS 20000 /* after a ping */

/* The same after a sleep. It is short: giving a server up wrongly costs one login. */
#define SILENCE_AFTER_SLEEP_MS 5000

void keepalive_begin(struct keepalive *keepalive, int64_t now_ms)
{
	keepalive_input(keepalive);
	keepalive_traffic(keepalive, now_ms);
}

void keepalive_traffic(struct keepalive *keepalive, int64_t now_ms)
{
	keepalive->interval_ms = PING_MS;
	keepalive->ping_ms = now_ms + PING_MS;
}

void keepalive_input(struct keepalive *keepalive)
{
	keepalive->pinged_ms = -1;
	keepalive->silence_ms = SILENCE_MS;
}

void keepalive_doubt(struct keepalive *keepalive, int64_t now_ms)
{
	keepalive->ping_ms = now_ms;
	keepalive->interval_ms = PING_MS;
	keepalive->pinged_ms = -1;
	keepalive->silence_ms = SILENCE_AFTER_SLEEP_MS;
}

bool keepalive_take_ping(struct keepalive *keepalive, int64_t now_ms)
{
	if (now_ms < keepalive->ping_ms) {
		return false;
	}
	keepalive->interval_ms *= 2;
	if (keepalive->interval_ms > PING_MAX_MS) {
		keepalive->interval_ms = PING_MAX_MS;
	}
	keepalive->ping_ms = now_ms + keepalive->interval_ms;
	if (keepalive->pinged_ms < 0) {
		keepalive->pinged_ms = now_ms;
	}
	return true;
}

bool keepalive_is_lost(const struct keepalive *keepalive, int64_t now_ms)
{
	return keepalive->pinged_ms >= 0 && now_ms - keepalive->pinged_ms >= keepalive->silence_ms;
}

int64_t keepalive_next_ms(const struct keepalive *keepalive)
{
	int64_t lost_ms = keepalive->pinged_ms + keepalive->silence_ms;

	return keepalive->pinged_ms >= 0 && lost_ms < keepalive->ping_ms ? lost_ms
									 : keepalive->ping_ms;
}
