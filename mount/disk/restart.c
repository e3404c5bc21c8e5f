/* SPDX-License-Identifier: MIT */
#include "mount/disk/restart.h"

#include "account/inbox_entry.h"
#include "account/name.h"
#include "mount/disk/download.h"
#include "mount/disk/folder.h"
#include "mount/disk/journal.h"
#include "mount/disk/location.h"
#include "mount/disk/syncer.h"
#include "mount/disk/verdict_file.h"
#include "mount/log.h"
#include "xmpp/jid.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
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
	if (!name_is_part(name)) {
		const struct inbox_path path = {contact, folder, name};
		hub_restore_inbox_file(context, &path, (uint64_t)status->st_size, &status->st_mtim);
	} else if (status->st_nlink == 1) { /* as part_file_reopen wants it */
		char part[LOCATION_PATH_SIZE];
		struct location location;
		location_init(&location, NULL, contact, folder);
		location_path(&location, name, part);
		hub_restore_part(context, part, status);
	}
}

static bool is_recent(time_t written)
{
	return time(NULL) - written <= MAX_AGE_S;
}

/* The full JID to log in with: that of the last stream that is resumed, or whose sender may still
 * ask. */
struct login {
	const char *jid; /* ours, bare or full */
	char *last;	 /* NULL: there is no such stream */
	time_t written;
};

static void consider(struct login *login, const char *own, time_t written)
{
	bool is_ours = jid_resource(login->jid) ? strcmp(own, login->jid) == 0
						: jid_same_bare(own, login->jid);
	if (is_ours && is_recent(written) && (!login->last || written > login->written)) {
		free(login->last);
		login->last = strdup(own);
		login->written = written;
	}
}

static void consider_verdict(void *context, const struct verdict_record *record)
{
	consider(context, record->own, record->written);
}

/* Returns whether verdicts count. A record does not say whether its process has ended: if it has
 * not, that process would lose its resource to us. */
static bool choose_login(struct login *login, const struct inbox *inbox,
			 const struct journal_found *list)
{
	const struct journal_found *found;
	struct login told = {.jid = login->jid};
	LL_FOREACH (list, found) {
		consider(login, found->head.own, found->written);
	}
	verdict_file_read(&inbox->journals, consider_verdict, &told);
	bool counts = told.last && journals_are_ours(&inbox->journals);
	if (counts) {
		consider(login, told.last, told.written);
	}
	free(told.last);
	return counts;
}

/* Whose verdicts are restored, and where. */
struct restoring {
	struct hub *hub;
	const char *own;
};

static void restore_verdict(void *context, const struct verdict_record *record)
{
	const struct restoring *restoring = context;
	if (strcmp(record->own, restoring->own) == 0 && is_recent(record->written)) {
		hub_restore_verdict(restoring->hub, record->peer, record->sid, record->verdict);
	}
}

static void drop(struct inbox *inbox, struct journal_found *found, const char *why)
{
	log_warning("%s/%s: %s: not continued", found->head.contact, found->head.part_name, why);
	journal_end(&inbox->journals, &found->journal);
}

/* Whether the file got its name just before the end, and nobody could be told. */
static bool was_named(const struct inbox *inbox, const struct journal_found *found,
		      char path[LOCATION_PATH_SIZE])
{
	const struct journal_head *head = &found->head;
	struct location location;
	struct stat status;
	location_init(&location, NULL, head->contact, head->folder);
	location_path(&location, head->part_name, path);
	if (!found->record.is_whole || inbox_stat(inbox, path, &status) != -ENOENT) {
		return false;
	}
	location_path(&location, head->name, path);
	return inbox_stat(inbox, path, &status) == 0 && S_ISREG(status.st_mode) &&
	       (uint64_t)status.st_size == journal_record_end(&found->record);
}

/* A file with its name, of which its sender may not have heard. */
struct named {
	struct inbox *inbox;
	struct hub *hub;
	struct journal_found *found; /* ours */
	atomic_int error;	     /* of a directory that could not be synced */
};

/* One of the directories that it is in was synced, or could not be: in the syncer's thread, or in
 * that of the restart. */
static void note(void *context, int result)
{
	struct named *named = context;
	if (result) {
		atomic_store(&named->error, result);
	}
}

/* It is the last one. */
static void conclude(void *context, int result)
{
	struct named *named = context;
	note(context, result);
	struct journal_found *found = named->found;
	const struct journal_head *head = &found->head;
	struct journals *journals = &named->inbox->journals;
	if (atomic_load(&named->error) == 0) {
		struct verdict_name name;
		verdict_name_set(&name, head->own, head->peer, head->sid);
		verdict_file_note(journals, &name, CONDITION_NONE);
		hub_restore_verdict(named->hub, head->peer, head->sid, CONDITION_NONE);
	}
	journal_end(journals, &found->journal);
	free(found);
	free(named);
}

/* The end of that process came before the file was acknowledged, so a directory above it may not
 * be durable either. Takes `above` over, the file's own. */
static void sync_above(struct named *named, char *path, int above)
{
	struct inbox *inbox = named->inbox;
	char *slash = strrchr(path, '/');
	while (slash) {
		const char *name;
		*slash = '\0';
		int fd = folder_open_above(inbox->fd, path, &name);
		if (fd < 0) {
			note(named, fd);
			break;
		}
		syncer_submit_directory(inbox->syncer, &inbox->directories, fd, note, named);
		slash = strrchr(path, '/');
	}
	syncer_submit_directory(inbox->syncer, &inbox->directories, above, conclude, named);
}

/* There is no part: it was removed by hand, or has its name. Takes `found` over. */
static void resume_without_part(struct inbox *inbox, struct hub *hub, struct journal_found *found)
{
	char path[LOCATION_PATH_SIZE];
	const char *name;
	struct named *named = was_named(inbox, found, path) ? calloc(1, sizeof(*named)) : NULL;
	int above = named ? folder_open_above(inbox->fd, path, &name) : -1;
	if (!named || above < 0) {
		journal_end(&inbox->journals, &found->journal);
		free(found);
		free(named);
		return;
	}
	*named = (struct named){.inbox = inbox, .hub = hub, .found = found};
	if (inbox->syncer) {
		sync_above(named, path, above);
	} else {
		close(above);
		conclude(named, 0);
	}
}

/* Takes `found` over. `jid`: ours, bare or full; `login`: the address that streams are resumed at,
 * or NULL. */
static void resume(struct inbox *inbox, struct hub *hub, struct journal_found *found,
		   const char *jid, const char *login)
{
	int error = 0;
	if (!is_recent(found->written)) {
		drop(inbox, found, "its stream is too old");
	} else if (!jid_same_bare(found->head.own, jid)) {
		journal_leave(&found->journal); /* another account has the same inbox */
	} else if (!login || strcmp(found->head.own, login) != 0) {
		drop(inbox, found, "its stream was sent to another address");
	} else {
		error = download_resume(inbox, hub, found);
	}
	if (error == -ENOENT) {
		resume_without_part(inbox, hub, found);
		return;
	}
	if (error) {
		drop(inbox, found, strerror(-error));
	}
	free(found);
}

char *restart_inbox(struct inbox *inbox, struct hub *hub, const char *jid, bool resumes)
{
	struct journal_found *list = journals_find(&inbox->journals), *found, *next;
	struct login choice = {.jid = jid};
	bool has_verdicts = resumes && choose_login(&choice, inbox, list);
	char *login = strdup(choice.last ? choice.last : jid);
	if (login && choice.last && hub_set_jid(hub, choice.last)) {
		free(login);
		login = NULL;
	}
	if (login && choice.last && has_verdicts) {
		struct restoring restoring = {hub, choice.last};
		verdict_file_read(&inbox->journals, restore_verdict, &restoring);
	}
	LL_FOREACH_SAFE (list, found, next) {
		if (login) {
			resume(inbox, hub, found, jid, choice.last);
		} else {
			journal_leave(&found->journal);
			free(found);
		}
	}
	free(choice.last);
	inbox_for_each(inbox, restore, hub);
	return login;
}
