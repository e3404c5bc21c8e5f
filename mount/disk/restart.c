/* SPDX-License-Identifier: MIT */
#include "mount/disk/restart.h"

#include "account/inbox_entry.h"
#include "account/name.h"
#include "mount/disk/download.h"
#include "mount/disk/journal.h"
#include "mount/log.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

/* No peer waits longer: it is the largest value of -o reconnect=. */
#define MAX_AGE_S 86400

static void restore(void *context, const char *contact, const char *folder, const char *name,
		    const struct stat *status)
{
	if (!name || !S_ISREG(status->st_mode) || name[0] == '.') {
		return;
	}
	/* Directories that are no JID are ignored. */
	if (name_is_part(name)) {
		char part[PATH_MAX];
		snprintf(part, sizeof(part), "%s/%s%s%s", contact, folder,
			 folder[0] != '\0' ? "/" : "", name);
		if (status->st_nlink == 1) { /* as part_file_reopen wants it */
			hub_restore_part(context, part, status);
		}
	} else {
		const struct inbox_path path = {contact, folder, name};
		hub_restore_inbox_file(context, &path, (uint64_t)status->st_size, &status->st_mtim);
	}
}

static bool is_recent(const struct journal_found *found)
{
	return time(NULL) - found->written <= MAX_AGE_S;
}

/* The full JID that the last of the streams was sent to; NULL: none was sent to `jid`. */
static const char *last_jid(const struct journal_found *list, const char *jid)
{
	const struct journal_found *found, *last = NULL;
	LL_FOREACH (list, found) {
		bool is_ours = jid_resource(jid) ? strcmp(found->head.own, jid) == 0
						 : jid_same_bare(found->head.own, jid);
		if (is_ours && is_recent(found) && (!last || found->written > last->written)) {
			last = found;
		}
	}
	return last ? last->head.own : NULL;
}

static void drop(struct inbox *inbox, struct journal_found *found, const char *why)
{
	log_warning("%s/%s: %s: not continued", found->head.contact, found->head.part_name, why);
	journal_end(&inbox->journals, &found->journal);
}

static void resume(struct inbox *inbox, struct hub *hub, struct journal_found *found,
		   const char *jid)
{
	if (!is_recent(found)) {
		drop(inbox, found, "its stream is too old");
		return;
	}
	if (!jid || strcmp(found->head.own, jid) != 0) {
		drop(inbox, found, "its stream was sent to another address");
		return;
	}
	int error = download_resume(inbox, hub, found);
	if (error == -ENOENT) {
		/* It was removed by hand, or got its name just before the end. */
		journal_end(&inbox->journals, &found->journal);
	} else if (error) {
		drop(inbox, found, strerror(-error));
	}
}

char *restart_inbox(struct inbox *inbox, struct hub *hub, const char *jid, bool resumes)
{
	struct journal_found *list = journals_find(&inbox->journals), *found, *next;
	const char *last = resumes ? last_jid(list, jid) : NULL;
	char *login = strdup(last ? last : jid);
	if (login && last && hub_set_jid(hub, last)) {
		free(login);
		login = NULL;
	}
	LL_FOREACH_SAFE (list, found, next) {
		if (login) {
			resume(inbox, hub, found, last);
		} else {
			journal_leave(&found->journal);
		}
		free(found);
	}
	inbox_for_each(inbox, restore, hub);
	return login;
}
