/* SPDX-License-Identifier: MIT */
/*
 * name - the names that files and directories may have, and how names off the wire are escaped.
 *
 * Units:   bytes; names are UTF-8 and have 1 to NAME_MAX_BYTES.
 * Errors:  0 or -errno.
 * Threads: pure functions.
 * Source:  XML 1.0 section 2.2 (characters that can be sent); Unicode: DerivedCoreProperties.txt
 *          (Default_Ignorable_Code_Point), PropList.txt (Bidi_Control, White_Space).
 */
#ifndef ACCOUNT_NAME_H
#define ACCOUNT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_MAX_BYTES 255

/* The path of a folder below a contact's directory: names with a '/' between them. */
#define NAME_MAX_FOLDER_BYTES 1023
#define NAME_MAX_FOLDER_DEPTH 32

/* Room for such a path with a number in each of its names (name_number), and NUL. */
#define NAME_FOLDER_SIZE 1536

/*
 * Writes `wire`, a file's name as a peer gave it, as a name that a directory can hold. These
 * become "%XX", byte by byte, capital hex:
 *
 *     '/'; control characters (C0, DEL, C1); the other ends of a line, U+2028 and U+2029
 *     what turns text around: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069
 *     what is invisible, such as U+200B; but joiners (U+200C, U+200D) and variation selectors
 *     stay behind the visible character outside ASCII that they belong to
 *     a '.' or white space at the beginning, white space at the end
 *     U+FFFE, U+FFFF, and bytes that are not UTF-8
 *
 * "." and ".." thus become "%2E" and "%2E.". A name longer than NAME_MAX_BYTES is cut between
 * characters, never inside "%XX"; an extension, from the last '.', of up to 16 bytes stays. An
 * empty name becomes "unnamed". `name` has room for NAME_MAX_BYTES + 1.
 */
void name_from_wire(char *name, const char *wire);

/*
 * Writes `wire`, the path of a folder as a peer gave it, with each name in it as name_from_wire
 * would: so ".." is a name like any other. Empty names are left out; the path may be empty then.
 * -ENAMETOOLONG: it has more bytes or names than a path can have, and `folder` is undefined.
 * `folder` has room for NAME_MAX_FOLDER_BYTES + 1.
 */
int name_folder_from_wire(char *folder, const char *wire);

/* What follows the name of a file of the inbox until the file is complete. */
#define NAME_PART_SUFFIX ".part"

/* Whether a file of that name is one that was being received. */
bool name_is_part(const char *name);

/* Puts a '_' behind a `name` with that suffix, in capitals or not: no complete file may look like
 * the part of another one. `name` has room for NAME_MAX_BYTES + 1, and is cut as above. */
void name_avoid_part(char *name);

/* Takes the first name off the path *folder. False: the path is empty. */
bool name_take_component(const char **folder, char name[NAME_MAX_BYTES + 1]);

/* `name` with " (N)" before its extension ("a (2).txt"), cut to NAME_MAX_BYTES in the same way. */
void name_number(char *numbered, const char *name, unsigned n);

/*
 * The name of a directory for a JID or for a JID's resource: as name_from_wire, and a '%' that two
 * hex digits follow is escaped too, so that name_to_jid returns the original. False if it is empty
 * or would have more than NAME_MAX_BYTES: then it has no directory, and `name` is undefined.
 */
bool name_from_jid(char *name, const char *jid);

/* Undoes name_from_jid; `jid` has room for NAME_MAX_BYTES + 1. -EINVAL for "%00", -ENAMETOOLONG;
 * then `jid` is undefined. */
int name_to_jid(char *jid, const char *name);

/* Whether a user may give this name to a file of ours: -EPERM for a leading '.', -EILSEQ for a name
 * that is not UTF-8 or has a character that XML cannot hold (C0 controls but tab, newline and
 * return; U+FFFE, U+FFFF), -ENAMETOOLONG. */
int name_check(const char *name);

#endif
