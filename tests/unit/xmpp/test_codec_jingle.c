/* SPDX-License-Identifier: MIT */
#include "braced.h"
#include "failing_malloc.h"
#include "stanzas.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define JINGLE	  "urn:xmpp:jingle:1"
#define FT	  "urn:xmpp:jingle:apps:file-transfer:5"
#define FT_4	  "urn:xmpp:jingle:apps:file-transfer:4"
#define TRANSPORT "urn:xmpp:jingle:transports:ibb:1"
#define S5B	  "urn:xmpp:jingle:transports:s5b:1"
#define HASHES	  "urn:xmpp:hashes:2"

#define OCTETS "application/octet-stream"

#define DIGEST(name, text) \
	BRACED(.algorithm = name, .length = sizeof(text) - 1, .bytes = BRACED(text))
#define PROMISE(name) BRACED(.algorithm = name)

#define NO_FILE	     BRACED(.size = METADATA_NO_SIZE, .date = METADATA_NO_DATE)
/* Without a date. */
#define FILE_OF(...) BRACED(.date = METADATA_NO_DATE, __VA_ARGS__)

#define TO_BASE_SHA_256                                                                        \
	"\x3f\x38\xa3\x88\xd0\x71\xf8\xd3\x78\x96\x5f\xf7\xb0\x39\x85\x9b\x64\x4c\x23\x8b\x89" \
	"\x70\xba\xa4\x5d\x80\x2c\x9c\x85\xb2\x98\x59"
#define GAJIM_ACCEPT_SHA_256                                                                   \
	"\xe9\x81\x20\xf7\xff\x3d\xd7\x69\x27\xce\x34\x9e\x55\x95\xc8\xc4\xfe\xd5\xe0\xd1\x1a" \
	"\x45\x83\x38\xcd\x09\x2b\x7e\xa2\x69\xb4\x8b"
#define GS_SHA_256                                                                             \
	"\x97\x48\x26\x20\x68\xa8\x94\xde\xd5\x7f\xdf\xc2\xe6\x3d\x28\xc9\x01\xc3\x9c\xa0\xa1" \
	"\x98\x01\x8d\xeb\xd7\x55\x87\x38\x40\x8b\x94"
#define CHECKSUM_SHA_256                                                                       \
	"\x31\xb6\xa0\x98\x66\xb4\xf5\x32\xb6\x64\x87\x34\x39\x05\xf5\x16\xda\xfa\x28\x8a\x1e" \
	"\xd4\x7d\xda\x03\x44\x4e\x6f\xc2\x48\x4b\x82"
#define GAJIM_ACCEPT_SHA_1 \
	"\x7f\xb9\x2c\x91\x30\x7d\xd4\xf8\x99\x47\xee\xf4\xc7\x2a\x23\x8d\xe6\x92\xdf\x37"
#define TO_GAJIM_SHA_1 \
	"\x11\x4f\x83\x48\x1d\xb2\xfc\x1f\x7e\xb4\xa4\xa1\xc6\x8b\x3d\xb5\xf7\x5e\x1e\x9e"

/* ---- what others have sent ---- */

#define FIRST_FILE	  .contents = 1, .has_file = true
#define OVER_IBB(s, size) .has_ibb = true, .transport_sid = s, .block_size = size

struct recorded {
	const char *name;
	const char *sid;
	struct metadata metadata;
};

static const struct recorded recorded[] = {
	{"dino-0.4.2-accept",
	 "j126e7e94bc",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to base.bin", .size = 10240, .media_type = OCTETS,
			  .digest = DIGEST(HASH_SHA_256, TO_BASE_SHA_256)),
	  OVER_IBB("i84132ebe0b", 4096)}},
	{"dino-0.4.2-initiate",
	 "306dc092-6019-46cb-8b4f-eb4098e0c3b3",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "ds.bin", .size = 10000),
	  OVER_IBB("866ca53c-00c0-404a-8b78-7a0d0a5fd8e8", 4096)}},
	{"gajim-1.7.3-accept",
	 "j451bfd63ca",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to base.bin", .size = 10240,
			  .digest = DIGEST(HASH_SHA_256, GAJIM_ACCEPT_SHA_256)),
	  OVER_IBB("i416216a920", 4096)}},
	{"gajim-1.7.3-accept-sha-1",
	 "jd76e65d36c",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to x_sha1.bin", .size = 10240,
			  .digest = DIGEST(HASH_SHA_1, GAJIM_ACCEPT_SHA_1)),
	  OVER_IBB("i770faacc03", 4096)}},
	{"gajim-1.7.3-initiate",
	 "d8723e8e-f72d-42fc-96d9-05a0123172ab",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "fileNM1R99GU2GYU51HY",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "gs.bin", .size = 10000,
			  .digest = DIGEST(HASH_SHA_256, GS_SHA_256)),
	  OVER_IBB("f7d14b9d-ab8f-459c-b615-1b2c6c4dc03f", 4096)}},
	{"gajim-1.7.3-initiate-s5b",
	 "e53b553e-be15-47d0-829d-b39f862d0723",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "fileF4AEC0XNURAOA39E",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "gs.bin", .size = 10000,
			  .digest = DIGEST(HASH_SHA_256, GS_SHA_256))}},
	{"gajim-1.7.3-transport-info",
	 "e53b553e-be15-47d0-829d-b39f862d0723",
	 {.action = JINGLE_OTHER, .file = NO_FILE}},
	{"gajim-1.7.3-transport-replace",
	 "e53b553e-be15-47d0-829d-b39f862d0723",
	 {.action = JINGLE_TRANSPORT_REPLACE,
	  .content = "fileF4AEC0XNURAOA39E",
	  .contents = 1,
	  .file = NO_FILE,
	  OVER_IBB("None", 4096)}},
	{"libervia-0.9.0-accept",
	 "j42ec6cca19",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to x_used_desc.bin", .size = 10240, .media_type = OCTETS,
			  .description = "a description", .has_range = true,
			  .digest = PROMISE(HASH_SHA_256)),
	  OVER_IBB("i436476b9a5", 4096)}},
	{"libervia-0.9.0-terminate-failed",
	 "jdb41a8ab2e",
	 {.action = JINGLE_SESSION_TERMINATE,
	  .reason = JINGLE_FAILED_APPLICATION,
	  .file = NO_FILE}},
	{"libervia-0.9.0-terminate-success",
	 "j42ec6cca19",
	 {.action = JINGLE_SESSION_TERMINATE, .reason = JINGLE_SUCCESS, .file = NO_FILE}},
	{"probe-accept",
	 "306dc092-6019-46cb-8b4f-eb4098e0c3b3",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "ds.bin", .size = 10000),
	  OVER_IBB("866ca53c-00c0-404a-8b78-7a0d0a5fd8e8", 4096)}},
	{"probe-accept-echo",
	 "d8723e8e-f72d-42fc-96d9-05a0123172ab",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "fileNM1R99GU2GYU51HY",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "gs.bin", .size = 10000,
			  .digest = DIGEST(HASH_SHA_256, GS_SHA_256)),
	  OVER_IBB("f7d14b9d-ab8f-459c-b615-1b2c6c4dc03f", 4096)}},
	{"probe-accept-echo-smaller",
	 "67e709e9-d76a-4853-8f8e-dc0ab0a537fc",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "fileK6W4L6PXT0WKM3ZU",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "gs.bin", .size = 10000,
			  .digest = DIGEST(HASH_SHA_256, GS_SHA_256)),
	  OVER_IBB("a0f5ff48-2168-4717-b3e4-20475058c9c4", 1024)}},
	{"probe-accept-s5b",
	 "e53b553e-be15-47d0-829d-b39f862d0723",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "fileF4AEC0XNURAOA39E",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "gs.bin", .size = 10000,
			  .digest = DIGEST(HASH_SHA_256, GS_SHA_256))}},
	{"probe-accept-smaller",
	 "316d52a8-d914-4e23-a302-e362f167471f",
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "ds.bin", .size = 10000),
	  OVER_IBB("0f87ee6a-754c-4b72-83e4-c5f2f5285ae7", 1024)}},
	{"probe-checksum",
	 "j42ec6cca19",
	 {.action = JINGLE_CHECKSUM,
	  .content = "a-file-offer",
	  .file = FILE_OF(.size = METADATA_NO_SIZE,
			  .digest = DIGEST(HASH_SHA_256, CHECKSUM_SHA_256))}},
	{"probe-initiate-hash-used",
	 "j42ec6cca19",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to x_used_desc.bin", .size = 10240, .media_type = OCTETS,
			  .description = "a description", .digest = PROMISE(HASH_SHA_256)),
	  OVER_IBB("i436476b9a5", 4096)}},
	{"probe-initiate-no-hash",
	 "jdb41a8ab2e",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to x_nohash_desc.bin", .size = 10240, .media_type = OCTETS,
			  .description = "a description"),
	  OVER_IBB("ib9c59c70eb", 4096)}},
	{"probe-initiate-sha-1",
	 "jbf05f1f796",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to x_sha1.bin", .size = 10240, .media_type = OCTETS,
			  .digest = DIGEST(HASH_SHA_1, TO_GAJIM_SHA_1)),
	  OVER_IBB("i6fc192c6c3", 4096)}},
	{"probe-initiate-sha-256",
	 "j126e7e94bc",
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "a-file-offer",
	  FIRST_FILE,
	  .file = FILE_OF(.name = "to base.bin", .size = 10240, .media_type = OCTETS,
			  .digest = DIGEST(HASH_SHA_256, TO_BASE_SHA_256)),
	  OVER_IBB("i84132ebe0b", 4096)}},
	{"probe-received",
	 "306dc092-6019-46cb-8b4f-eb4098e0c3b3",
	 {.action = JINGLE_RECEIVED, .content = "a-file-offer", .file = NO_FILE}},
	{"probe-terminate-cancel",
	 "j32e008008e",
	 {.action = JINGLE_SESSION_TERMINATE, .reason = JINGLE_CANCEL, .file = NO_FILE}},
	{"probe-terminate-success",
	 "j126e7e94bc",
	 {.action = JINGLE_SESSION_TERMINATE, .reason = JINGLE_SUCCESS, .file = NO_FILE}},
	{"probe-transport-accept",
	 "e53b553e-be15-47d0-829d-b39f862d0723",
	 {.action = JINGLE_OTHER, .file = NO_FILE}},
	{"probe-transport-info",
	 "e53b553e-be15-47d0-829d-b39f862d0723",
	 {.action = JINGLE_OTHER, .file = NO_FILE}},
};

/* An answer contains its request. */
static const struct {
	const char *name;
	enum error_type type;
} errors[] = {
	{"gajim-1.7.3-error-received", ERROR_TYPE_MODIFY},
	{"psi-plus-1.4.554-error-initiate", ERROR_TYPE_CANCEL},
};

static void test_recorded(void **state)
{
	struct stanzas *stanzas = *state;
	struct msg msg;
	assert_int_equal(COUNT(recorded) + COUNT(errors), stanzas_count("jingle"));
	for (size_t i = 0; i < COUNT(recorded); i++) {
		xmpp_stanza_t *stanza = stanzas_read(stanzas, "jingle", recorded[i].name);
		print_message("%s\n", recorded[i].name);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		assert_int_equal(msg.kind, MSG_JINGLE);
		assert_string_same(msg.sid, recorded[i].sid);
		assert_metadata_same(msg.metadata, &recorded[i].metadata);
		xmpp_stanza_release(stanza);
	}
	for (size_t i = 0; i < COUNT(errors); i++) {
		xmpp_stanza_t *stanza = stanzas_read(stanzas, "jingle", errors[i].name);
		print_message("%s\n", errors[i].name);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		assert_int_equal(msg.kind, MSG_ERROR);
		assert_int_equal(msg.condition, CONDITION_FEATURE_NOT_IMPLEMENTED);
		assert_int_equal(msg.error_type, errors[i].type);
		assert_null(msg.sid);
		assert_null(msg.metadata);
		xmpp_stanza_release(stanza);
	}
}

/* ---- requests ---- */

#define REQUEST(content) "<iq from='a@b/c' id='i' type='set'>" content "</iq>"
#define SESSION(action, content) \
	REQUEST("<jingle xmlns='" JINGLE "' sid='j' action='" action "'>" content "</jingle>")
#define INITIATE(content) SESSION("session-initiate", content)
#define INFO(content)	  SESSION("session-info", content)
#define TERMINATE(reason) SESSION("session-terminate", reason)

#define CONTENT(attributes, children) "<content" attributes ">" children "</content>"
#define NAMED			      " creator='initiator' name='c' senders='initiator'"
#define DESCRIPTION(children)	      "<description xmlns='" FT "'>" children "</description>"
#define OVER(attributes)	      "<transport xmlns='" TRANSPORT "'" attributes "/>"
#define BY_IBB			      OVER(" sid='t' block-size='4096'")
#define OF_FILE(children)	      INITIATE(CONTENT(NAMED, DESCRIPTION("<file>" children "</file>") BY_IBB))
#define OF_TRANSPORT(transport)	      INITIATE(CONTENT(NAMED, DESCRIPTION("<file/>") transport))
#define OF_CONTENT(attributes)	      INITIATE(CONTENT(attributes, DESCRIPTION("<file/>") BY_IBB))
#define HASH(algorithm, text)	      "<hash xmlns='" HASHES "' algo='" algorithm "'>" text "</hash>"
#define USED(algorithm)		      "<hash-used xmlns='" HASHES "' algo='" algorithm "'/>"

#define OFFERED(...)                                            \
	BRACED(.content = "c", FIRST_FILE, OVER_IBB("t", 4096), \
	       .file = FILE_OF(.size = METADATA_NO_SIZE, __VA_ARGS__))
#define PLAIN BRACED(.content = "c", FIRST_FILE, OVER_IBB("t", 4096), .file = NO_FILE)
#define SIZED(bytes) \
	BRACED(.content = "c", FIRST_FILE, OVER_IBB("t", 4096), .file = FILE_OF(.size = bytes))
#define DATED(seconds)                                          \
	BRACED(.content = "c", FIRST_FILE, OVER_IBB("t", 4096), \
	       .file = BRACED(.size = METADATA_NO_SIZE, .date = seconds))
#define CARRIED(...)   BRACED(.content = "c", FIRST_FILE, .file = NO_FILE, __VA_ARGS__)
#define CONTAINED(...) BRACED(FIRST_FILE, OVER_IBB("t", 4096), .file = NO_FILE, __VA_ARGS__)
#define NOT_A_FILE     BRACED(.content = "c", .contents = 1, OVER_IBB("t", 4096), .file = NO_FILE)
#define ENDED(why)     BRACED(.action = JINGLE_SESSION_TERMINATE, .reason = why, .file = NO_FILE)
#define ONLY(what)     BRACED(.action = what, .file = NO_FILE)

#define EMPTY_MD5     "1B2M2Y8AsgTpgAmY7PhCfg=="
#define EMPTY_SHA_1   "2jmj7l5rSw0yVb/vlWAYkK/YBwk="
#define EMPTY_SHA_256 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define EMPTY_SHA_512                                                                      \
	"z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6" \
	"+SfaPg=="
#define MD5_BYTES "\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e"
#define SHA_1_BYTES \
	"\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09"
#define SHA_256_BYTES                                                                          \
	"\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24\x27\xae\x41\xe4\x64" \
	"\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55"
#define SHA_512_BYTES                                                                          \
	"\xcf\x83\xe1\x35\x7e\xef\xb8\xbd\xf1\x54\x28\x50\xd6\x6d\x80\x07\xd6\x20\xe4\x05\x0b" \
	"\x57\x15\xdc\x83\xf4\xa9\x21\xd3\x6c\xe9\xce\x47\xd0\xd1\x3c\x5d\x85\xf2\xb0\xff\x83" \
	"\x18\xd2\x87\x7e\xec\x2f\x63\xb9\x31\xbd\x47\x41\x7a\x81\xa5\x38\x32\x7a\xf9\x27\xda" \
	"\x3e"

struct row {
	const char *xml;
	struct metadata metadata;
};

static const struct row files[] = {
	{OF_FILE(""), PLAIN},
	{REQUEST("\n text <jingle action='session-initiate'\n initiator='x' sid='j' xmlns='" JINGLE
		 "' responder='y'>\n<x/>\n<content senders='initiator' name='c'>\n"
		 "<transport block-size='4096' xmlns='" TRANSPORT "' sid='t'>\n</transport>\n"
		 "<description xmlns='" FT "'>\n<file>\n</file>\n</description>\n</content>\n"
		 "</jingle>\n"),
	 PLAIN},

	{OF_FILE("\n<size>1</size>\n<size>x</size>"), SIZED(1)},
	{OF_FILE("<size>0</size>"), SIZED(0)},
	{OF_FILE("<size>9223372036854775807</size>"), SIZED(INT64_MAX)},
	{OF_FILE("<size xmlns='x'>1</size>"), PLAIN},
	{OF_FILE("<date>1969-07-21T02:56:15Z</date>"), DATED(-14159025)},
	{OF_FILE("<date>2026-11-23T03:03:03.969969+00:00Z</date>"), PLAIN},
	{OF_FILE("<date>2026-11-23</date>"), PLAIN},
	{OF_FILE("<date/>"), PLAIN},
	{OF_FILE("<name>a/../b&#10;</name><media-type>text/plain</media-type>"
		 "<desc xml:lang='en'>d</desc><desc xml:lang='de'>D</desc>"),
	 OFFERED(.name = "a/../b\n", .media_type = "text/plain", .description = "d")},
	{OF_FILE("<name/><media-type/><desc/><thumbnail xmlns='x'/>"), PLAIN},
	{OF_FILE("<name>n<x/></name><desc>d<x/></desc>"), PLAIN},

	{OF_FILE("<range/>"), OFFERED(.has_range = true)},
	{OF_FILE("<range offset='5'/>"), OFFERED(.has_range = true, .offset = 5)},
	{OF_FILE("<range length='9223372036854775807' offset='9223372036854775807'/>"),
	 OFFERED(.has_range = true, .offset = INT64_MAX, .length = INT64_MAX)},

	{OF_FILE(HASH("md5", EMPTY_MD5)), OFFERED(.digest = DIGEST(HASH_MD5, MD5_BYTES))},
	{OF_FILE(HASH("sha-512", EMPTY_SHA_512)),
	 OFFERED(.digest = DIGEST(HASH_SHA_512, SHA_512_BYTES))},
	{OF_FILE(HASH("sha-1", EMPTY_SHA_1) HASH("sha-256", EMPTY_SHA_256) HASH("md5", EMPTY_MD5)),
	 OFFERED(.digest = DIGEST(HASH_SHA_256, SHA_256_BYTES))},
	{OF_FILE(HASH("sha-1", EMPTY_SHA_1) HASH("sha-256", "x")
			 HASH("blake2b-256", EMPTY_SHA_256)),
	 OFFERED(.digest = DIGEST(HASH_SHA_1, SHA_1_BYTES))},
	{OF_FILE(USED("sha-256") HASH("sha-1", EMPTY_SHA_1)),
	 OFFERED(.digest = DIGEST(HASH_SHA_1, SHA_1_BYTES))},
	{OF_FILE(USED("sha-1") USED("sha-256") USED("sha3-256") USED("md5")),
	 OFFERED(.digest = PROMISE(HASH_SHA_256))},
	{OF_FILE(HASH("sha-256", "")), OFFERED(.digest = PROMISE(HASH_SHA_256))},
	{OF_FILE(USED("sha3-256")), PLAIN},
	{OF_FILE("<hash-used xmlns='" HASHES "'/><hash xmlns='" HASHES "'/>"), PLAIN},
	{OF_FILE("<hash-used algo='sha-256'/>"), PLAIN},
	{OF_FILE("<hash xmlns='urn:xmpp:hashes:1' algo='sha-256'>" EMPTY_SHA_256 "</hash>"), PLAIN},
	{OF_FILE(HASH("SHA-256", EMPTY_SHA_256)), PLAIN},
	{OF_FILE(HASH("sha-256", EMPTY_SHA_1)), PLAIN},
	{OF_FILE(HASH("sha-1", "2jmj7l5rSw0yVb/vlWAYkK/YBwkA")), PLAIN}, /* a byte more */
	{OF_FILE(HASH("sha-512", EMPTY_SHA_512 "AAAA")), PLAIN},
	{OF_FILE(HASH("sha-256", "\n" EMPTY_SHA_256 "\n")),
	 OFFERED(.digest = DIGEST(HASH_SHA_256, SHA_256_BYTES))},
	{OF_FILE(HASH("sha-256", EMPTY_SHA_256 "<x/>")), PLAIN},
	/* Libervia: the base64 of the digits. */
	{OF_FILE(HASH("sha-1", "ZGEzOWEzZWU1ZTZiNGIwZDMyNTViZmVmOTU2MDE4OTBhZmQ4MDcwOQ==")), PLAIN},
	/* The digest of a part is not that of the file. */
	{OF_FILE("<range offset='1'>" HASH("sha-1", EMPTY_SHA_1) "</range>"),
	 OFFERED(.has_range = true, .offset = 1)},

	{INITIATE(CONTENT(NAMED, DESCRIPTION("") BY_IBB)), NOT_A_FILE},
	{INITIATE(CONTENT(NAMED, BY_IBB)), NOT_A_FILE},
	{INITIATE(CONTENT(NAMED, "<description xmlns='" FT_4 "'><file/></description>" BY_IBB)),
	 NOT_A_FILE},
	{INITIATE(CONTENT(NAMED,
			  "<description xmlns='urn:xmpp:jingle:apps:file-transfer:3'><offer><file>"
			  "<size>x</size></file></offer></description>" BY_IBB)),
	 NOT_A_FILE},
	{INITIATE(CONTENT(NAMED, DESCRIPTION("<file xmlns='" FT_4 "'/>") BY_IBB)), NOT_A_FILE},
	{INITIATE(CONTENT(NAMED, "<description xmlns='urn:xmpp:jingle:apps:rtp:1'/>" BY_IBB)),
	 NOT_A_FILE},
};

static const struct row contents[] = {
	{INITIATE(""), ONLY(JINGLE_SESSION_INITIATE)},
	{INITIATE("<content xmlns='x'/>"), ONLY(JINGLE_SESSION_INITIATE)},
	{INITIATE("<content/>"), {.contents = 1, .file = NO_FILE}},
	{INITIATE("<content/>" CONTENT(NAMED, DESCRIPTION("<file/>") BY_IBB) "<content/>"),
	 {.contents = 3, .file = NO_FILE}},
	{OF_CONTENT(""), CONTAINED(.content = NULL)},
	{OF_CONTENT(" name=''"), CONTAINED(.content = NULL)},
	{OF_CONTENT(" name='c' creator='responder'"),
	 CONTAINED(.content = "c", .by_responder = true)},
	{OF_CONTENT(" name='c' senders='responder'"),
	 CONTAINED(.content = "c", .from_responder = true)},
	{OF_CONTENT(" name='c' senders='both' creator='x'"), CONTAINED(.content = "c")},
	{INITIATE(CONTENT(NAMED, DESCRIPTION("<file/>") BY_IBB
			  "<security xmlns='urn:xmpp:jingle:jet:0'/>")),
	 CONTAINED(.content = "c", .is_encrypted = true)},
	{OF_FILE("<encrypted xmlns='eu.siacs.conversations.axolotl'/>"),
	 CONTAINED(.content = "c", .is_encrypted = true)},

	{OF_TRANSPORT(OVER(" sid='t' block-size='1'")), CARRIED(OVER_IBB("t", 1))},
	{OF_TRANSPORT(OVER(" sid='t' block-size='65535'")), CARRIED(OVER_IBB("t", 65535))},
	{OF_TRANSPORT("<transport xmlns='" S5B "' sid='s'/>" BY_IBB), CARRIED(OVER_IBB("t", 4096))},
	{OF_TRANSPORT(OVER(" sid='t'")), CARRIED(OVER_IBB("t", 0))},
	{OF_TRANSPORT(OVER(" sid='t' block-size='0'")), CARRIED(OVER_IBB("t", 0))},
	{OF_TRANSPORT(OVER(" sid='t' block-size='65536'")), CARRIED(OVER_IBB("t", 0))},
	{OF_TRANSPORT(OVER(" sid='t' block-size='-1'")), CARRIED(OVER_IBB("t", 0))},
	{OF_TRANSPORT(OVER(" sid='t' block-size='4096 '")), CARRIED(OVER_IBB("t", 0))},
	{OF_TRANSPORT(OVER(" block-size='4096'")), CARRIED(.has_ibb = false)},
	{OF_TRANSPORT(OVER(" sid='' block-size='4096'")), CARRIED(.has_ibb = false)},
	{OF_TRANSPORT("<transport xmlns='" S5B "' sid='s'/>"), CARRIED(.has_ibb = false)},
	{OF_TRANSPORT("<transport sid='t' block-size='4096'/>"), CARRIED(.has_ibb = false)},
	{OF_TRANSPORT(""), CARRIED(.has_ibb = false)},

	{SESSION("session-accept", CONTENT(NAMED, DESCRIPTION("") BY_IBB)),
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = "c",
	  .contents = 1,
	  .file = NO_FILE,
	  OVER_IBB("t", 4096)}},
	/* A content that is removed need not be understood. */
	{SESSION("content-remove", CONTENT(NAMED, DESCRIPTION("<file><size>x</size></file>")
							  BY_IBB) "<reason><cancel/></reason>"),
	 {.action = JINGLE_CONTENT_REMOVE, .content = "c", .contents = 1, .file = NO_FILE}},
	{SESSION("content-add", CONTENT(NAMED, DESCRIPTION("<file/>") BY_IBB)), ONLY(JINGLE_OTHER)},
	{SESSION("Session-initiate", CONTENT(NAMED, DESCRIPTION("<file/>") BY_IBB)),
	 ONLY(JINGLE_OTHER)},
	{SESSION("transport-reject", CONTENT(NAMED, BY_IBB)), ONLY(JINGLE_OTHER)},
};

static const struct row infos[] = {
	{INFO(""), ONLY(JINGLE_PING)},
	{INFO("\n \n"), ONLY(JINGLE_PING)},
	{INFO("<x/>"), ONLY(JINGLE_INFO)},
	{INFO("<ringing xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>"), ONLY(JINGLE_INFO)},
	{INFO("\n<received xmlns='" FT "' name='c' creator='initiator'/>\n"),
	 {.action = JINGLE_RECEIVED, .content = "c", .file = NO_FILE}},
	{INFO("<received xmlns='" FT "' creator='responder'/>"),
	 {.action = JINGLE_RECEIVED, .by_responder = true, .file = NO_FILE}},
	{INFO("<received xmlns='" FT_4 "' name='c'/>"), ONLY(JINGLE_INFO)},
	{INFO("<received/>"), ONLY(JINGLE_INFO)},
	{INFO("<x/><received xmlns='" FT "' name='c'/>"), ONLY(JINGLE_INFO)},
	{INFO("<checksum xmlns='" FT "' name='c'>\n<file>\n<name>n</name><size>x</size>"
	      "<range offset='x'/>" HASH("sha-1", EMPTY_SHA_1)
		      HASH("sha-256", EMPTY_SHA_256) "</file></checksum>"),
	 {.action = JINGLE_CHECKSUM,
	  .content = "c",
	  .file = FILE_OF(.size = METADATA_NO_SIZE,
			  .digest = DIGEST(HASH_SHA_256, SHA_256_BYTES))}},
	{INFO("<checksum xmlns='" FT
	      "' name='c' creator='responder'><file>" HASH("sha-256", "x") "</file></checksum>"),
	 {.action = JINGLE_CHECKSUM, .content = "c", .by_responder = true, .file = NO_FILE}},
	{INFO("<checksum xmlns='" FT "'>" HASH("sha-1", EMPTY_SHA_1) "</checksum>"),
	 ONLY(JINGLE_CHECKSUM)},
	{INFO("<checksum xmlns='" FT "'/>"), ONLY(JINGLE_CHECKSUM)},
	{INFO("<checksum/>"), ONLY(JINGLE_INFO)},
};

#define REASON(reason) TERMINATE("<reason>" reason "</reason>")

static const struct row ends[] = {
	{REASON("<success/>"), ENDED(JINGLE_SUCCESS)},
	{REASON("<decline/>"), ENDED(JINGLE_DECLINE)},
	{REASON("<busy/>"), ENDED(JINGLE_BUSY)},
	{REASON("<cancel/>"), ENDED(JINGLE_CANCEL)},
	{REASON("<connectivity-error/>"), ENDED(JINGLE_CONNECTIVITY_ERROR)},
	{REASON("<failed-application/>"), ENDED(JINGLE_FAILED_APPLICATION)},
	{REASON("<failed-transport/>"), ENDED(JINGLE_FAILED_TRANSPORT)},
	{REASON("<general-error/>"), ENDED(JINGLE_GENERAL_ERROR)},
	{REASON("<gone/>"), ENDED(JINGLE_GONE)},
	{REASON("<media-error/>"), ENDED(JINGLE_MEDIA_ERROR)},
	{REASON("<security-error/>"), ENDED(JINGLE_SECURITY_ERROR)},
	{REASON("<timeout/>"), ENDED(JINGLE_TIMEOUT)},
	{REASON("<unsupported-applications/>"), ENDED(JINGLE_UNSUPPORTED_APPLICATIONS)},
	{REASON("<unsupported-transports/>"), ENDED(JINGLE_UNSUPPORTED_TRANSPORTS)},
	{REASON("\n<text>gone</text>\n<file-too-large xmlns='urn:xmpp:jingle:apps:file-transfer:"
		"errors:0'/><media-error/>\n<success/>"),
	 ENDED(JINGLE_MEDIA_ERROR)},
	{REASON("<alternative-session/>"), ENDED(JINGLE_NO_REASON)},
	{REASON("<success xmlns='x'/>"), ENDED(JINGLE_NO_REASON)},
	{REASON("success"), ENDED(JINGLE_NO_REASON)},
	{REASON(""), ENDED(JINGLE_NO_REASON)},
	{TERMINATE("<reason xmlns='x'><success/></reason>"), ENDED(JINGLE_NO_REASON)},
	/* The session ends, whatever else the stanza has. */
	{TERMINATE(CONTENT(NAMED, DESCRIPTION("<file><size>x</size></file>"))),
	 ENDED(JINGLE_NO_REASON)},
};

static void check_rows(void **state, const struct row *rows, size_t count)
{
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < count; i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, rows[i].xml);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		print_message("%s\n", rows[i].xml);
		assert_int_equal(msg.kind, MSG_JINGLE);
		assert_string_equal(msg.peer, "a@b/c");
		assert_string_equal(msg.id, "i");
		assert_string_equal(msg.sid, "j");
		assert_metadata_same(msg.metadata, &rows[i].metadata);
		assert_int_equal(msg.size, -1);
		assert_int_equal(msg.condition, CONDITION_NONE);
		assert_int_equal(msg.detail, DETAIL_NONE);
		xmpp_stanza_release(stanza);
	}
}

static void test_requests(void **state)
{
	check_rows(state, files, COUNT(files));
	check_rows(state, contents, COUNT(contents));
	check_rows(state, infos, COUNT(infos));
	check_rows(state, ends, COUNT(ends));
}

/* ---- what is refused ---- */

static void assert_bad_request(const struct msg *msg)
{
	assert_int_equal(msg->kind, MSG_UNKNOWN);
	assert_int_equal(msg->condition, CONDITION_BAD_REQUEST);
	assert_int_equal(msg->error_type, ERROR_TYPE_CANCEL);
	assert_int_equal(msg->detail, DETAIL_NONE);
	assert_null(msg->sid);
	assert_null(msg->metadata);
}

static void test_misshapen(void **state)
{
	static const char *const rows[] = {
		REQUEST("<jingle xmlns='" JINGLE "'/>"),
		REQUEST("<jingle xmlns='" JINGLE "' sid='j'/>"),
		REQUEST("<jingle xmlns='" JINGLE "' sid='j' action=''/>"),
		REQUEST("<jingle xmlns='" JINGLE "' action='session-info'/>"),
		REQUEST("<jingle xmlns='" JINGLE "' sid='' action='session-info'/>"),
		"<iq id='i' type='get'><jingle xmlns='" JINGLE
		"' sid='j' action='session-info'/></iq>",
		OF_FILE("<size/>"),
		OF_FILE("<size>-1</size>"),
		OF_FILE("<size>1.0</size>"),
		OF_FILE("<size> 1</size>"),
		OF_FILE("<size>1<x/></size>"),
		OF_FILE("<size>9223372036854775808</size>"),
		OF_FILE("<size>18446744073709551617</size>"),
		OF_FILE("<range offset=''/>"),
		OF_FILE("<range offset='-1'/>"),
		OF_FILE("<range offset='1' length='x'/>"),
		OF_FILE("<range offset='1' length='0'/>"),
		OF_FILE("<range length='-1'/>"),
		OF_FILE("<range offset='18446744073709551616'/>"),
		SESSION("session-accept",
			CONTENT(NAMED, DESCRIPTION("<file><size>x</size></file>") BY_IBB)),
	};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct msg msg;
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, rows[i]);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		print_message("%s\n", rows[i]);
		assert_bad_request(&msg);
		xmpp_stanza_release(stanza);
	}
}

/* The session's, the bytestream's, and the names of contents. */
static void test_long_names(void **state)
{
	static const char *const forms[] = {
		REQUEST("<jingle xmlns='" JINGLE "' sid='%' action='session-info'/>"),
		REQUEST("<jingle xmlns='" JINGLE "' sid='%' action='session-terminate'/>"),
		OF_TRANSPORT(OVER(" sid='%' block-size='1'")),
		OF_CONTENT(" name='%'"),
		SESSION("content-remove", CONTENT(" name='%'", "")),
		SESSION("transport-replace", CONTENT(NAMED, OVER(" sid='%' block-size='1'"))),
		INFO("<received xmlns='" FT "' name='%'/>"),
		INFO("<checksum xmlns='" FT "' name='%'/>"),
	};
	struct stanzas *stanzas = *state;
	for (size_t i = 0; i < 2 * COUNT(forms); i++) {
		char name[1025] = "", xml[4096];
		struct msg msg;
		size_t length = 1023 + i % 2;
		memset(name, 'n', length);
		const char *form = forms[i / 2], *hole = strchr(form, '%');
		snprintf(xml, sizeof(xml), "%.*s%s%s", (int)(hole - form), form, name, hole + 1);
		xmpp_stanza_t *stanza = stanzas_parse(stanzas, xml);
		assert_true(codec_decode(&stanzas->codec, stanza, &msg));
		if (length == 1023) {
			assert_int_equal(msg.kind, MSG_JINGLE);
		} else {
			assert_bad_request(&msg);
		}
		xmpp_stanza_release(stanza);
	}
}

/* ---- encoding ---- */

#define NASTY	      "&<>\"'\t\n\r \xc3\xa9]]>"
#define NASTY_ESCAPED "&amp;&lt;&gt;&quot;&apos;&#9;&#10;&#13; \xc3\xa9]]&gt;"

#define HEAD(action) \
	"<iq type='set' id='1' to='a@b/c'><jingle xmlns='" JINGLE "' action='" action "' sid='j'"
#define TAIL "</jingle></iq>"

static const struct row encodings[] = {
	{HEAD("session-initiate") " initiator='me@here/" NASTY_ESCAPED "'>"
				  "<content creator='initiator' name='c' senders='initiator'>"
				  "<description xmlns='" FT "'><file><name>" NASTY_ESCAPED
				  "</name><size>9223372036854775807</"
				  "size><media-type>" NASTY_ESCAPED
				  "</media-type><desc>" NASTY_ESCAPED
				  "</desc><date>1969-07-21T02:56:15Z</date>"
				  "<hash xmlns='" HASHES "' algo='sha-256'>" EMPTY_SHA_256
				  "</hash></file></description><transport xmlns='" TRANSPORT
				  "' block-size='8192' sid='t'/></content>" TAIL,
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "c",
	  FIRST_FILE,
	  OVER_IBB("t", 8192),
	  .file = {.name = NASTY,
		   .size = INT64_MAX,
		   .date = -14159025,
		   .media_type = NASTY,
		   .description = NASTY,
		   .digest = DIGEST(HASH_SHA_256, SHA_256_BYTES)}}},
	{HEAD("session-initiate") " initiator='me@here/" NASTY_ESCAPED "'>"
				  "<content creator='initiator' name='c' senders='initiator'>"
				  "<description xmlns='" FT "'><file><name>n</name><size>0</size>"
				  "<hash-used xmlns='" HASHES
				  "' algo='sha-256'/></file></description>"
				  "<transport xmlns='" TRANSPORT
				  "' block-size='1' sid='t'/></content>" TAIL,
	 {.action = JINGLE_SESSION_INITIATE,
	  .content = "c",
	  FIRST_FILE,
	  OVER_IBB("t", 1),
	  .file = FILE_OF(.name = "n", .size = 0, .digest = PROMISE(HASH_SHA_256))}},
	{HEAD("session-accept") " responder='me@here/" NASTY_ESCAPED "'>"
				"<content creator='responder' name='" NASTY_ESCAPED
				"' senders='responder'><description xmlns='" FT "'>"
				"<file><range offset='5' length='7'/></file></description>"
				"<transport xmlns='" TRANSPORT "' block-size='4096'"
				" sid='" NASTY_ESCAPED "'/></content>" TAIL,
	 {.action = JINGLE_SESSION_ACCEPT,
	  .content = NASTY,
	  .by_responder = true,
	  .from_responder = true,
	  FIRST_FILE,
	  OVER_IBB(NASTY, 4096),
	  .file = FILE_OF(.size = METADATA_NO_SIZE, .has_range = true, .offset = 5, .length = 7)}},
	{HEAD("session-terminate") "><reason><unsupported-transports/></reason>" TAIL,
	 ENDED(JINGLE_UNSUPPORTED_TRANSPORTS)},
	{HEAD("session-terminate") ">" TAIL, ENDED(JINGLE_NO_REASON)},
	{HEAD("session-info") "><received xmlns='" FT "' creator='initiator' name='c'/>" TAIL,
	 {.action = JINGLE_RECEIVED, .content = "c", .file = NO_FILE}},
	{HEAD("session-info") "><received xmlns='" FT "' creator='responder'/>" TAIL,
	 {.action = JINGLE_RECEIVED, .by_responder = true, .file = NO_FILE}},
	{HEAD("session-info") "><checksum xmlns='" FT "' creator='initiator' name='c'><file>"
			      "<hash xmlns='" HASHES "' algo='sha-1'>" EMPTY_SHA_1
			      "</hash></file></checksum>" TAIL,
	 {.action = JINGLE_CHECKSUM,
	  .content = "c",
	  .file = FILE_OF(.size = METADATA_NO_SIZE, .digest = DIGEST(HASH_SHA_1, SHA_1_BYTES))}},
	{HEAD("session-info") ">" TAIL, ONLY(JINGLE_PING)},
};

static struct msg message(const struct metadata *metadata, const char *sid)
{
	return (struct msg){
		.kind = MSG_JINGLE,
		.peer = "a@b/c",
		.id = "1",
		.sid = sid,
		.size = -1,
		.metadata = metadata,
	};
}

static void test_encode(void **state)
{
	struct stanzas *stanzas = *state;
	stanzas->codec.jid = "me@here/" NASTY;
	for (size_t i = 0; i < COUNT(encodings); i++) {
		size_t length;
		struct msg msg = message(&encodings[i].metadata, "j");
		const char *text = codec_encode(&stanzas->codec, &msg, &length);
		assert_non_null(text);
		assert_string_equal(text, encodings[i].xml);
		assert_int_equal(length, strlen(text));
	}
	stanzas->codec.jid = NULL;
}

static void check_round_trip(struct stanzas *stanzas, const struct metadata *metadata,
			     const char *sid)
{
	struct msg in, out = message(metadata, sid);
	xmpp_stanza_t *stanza = stanzas_send(stanzas, &out, &in);
	assert_int_equal(in.kind, MSG_JINGLE);
	assert_string_same(in.sid, sid);
	assert_metadata_same(in.metadata, metadata);
	xmpp_stanza_release(stanza);
}

static bool can_be_sent(const struct metadata *metadata)
{
	switch (metadata->action) {
	case JINGLE_SESSION_INITIATE:
	case JINGLE_SESSION_ACCEPT:
		return metadata->has_file && metadata->has_ibb && metadata->contents == 1;
	case JINGLE_INFO:
	case JINGLE_CONTENT_REMOVE:
	case JINGLE_TRANSPORT_REPLACE:
	case JINGLE_OTHER:
		return false;
	default:
		return true;
	}
}

/* Stanzas of other clients and our own: as we send them, and as the recipient reads them. */
static void test_round_trip(void **state)
{
	struct stanzas *stanzas = *state;
	size_t count = 0;
	for (size_t i = 0; i < COUNT(recorded); i++) {
		if (can_be_sent(&recorded[i].metadata)) {
			check_round_trip(stanzas, &recorded[i].metadata, recorded[i].sid);
			count++;
		}
	}
	assert_int_equal(count, 20);
	for (size_t i = 0; i < COUNT(encodings); i++) {
		check_round_trip(stanzas, &encodings[i].metadata, NASTY);
	}
	for (size_t i = 0; i < COUNT(ends); i++) {
		check_round_trip(stanzas, &ends[i].metadata, "j");
	}
}

/* ---- memory ---- */

/* Cuts each text of `element` into two. */
static void cut(struct stanzas *stanzas, xmpp_stanza_t *element)
{
	xmpp_stanza_t *child = xmpp_stanza_get_children(element);
	for (; child; child = xmpp_stanza_get_next(child)) {
		if (xmpp_stanza_is_text(child)) {
			xmpp_stanza_t *piece = xmpp_stanza_new(stanzas->context);
			xmpp_stanza_set_text(piece, "+");
			xmpp_stanza_add_child_ex(element, piece, 0);
			return;
		}
		cut(stanzas, child);
	}
}

/* Texts in pieces, which libstrophe's parser does not make, are joined; without memory a text is
 * missing, but not the size. */
static void test_pieces(void **state)
{
	struct stanzas *stanzas = *state;
	xmpp_stanza_t *stanza =
		stanzas_parse(stanzas, OF_FILE("<name>n</name><media-type>m</media-type>"
					       "<desc>d</desc><date>x</date>"));
	cut(stanzas, stanza);
	bool failed;
	size_t n = 0;
	do {
		struct msg msg;
		failing_malloc_arm(++n);
		bool decoded = codec_decode(&stanzas->codec, stanza, &msg);
		failed = failing_malloc_disarm();
		assert_true(decoded);
		assert_int_equal(msg.kind, MSG_JINGLE);
		assert_string_same(msg.metadata->file.name, failed && n == 1 ? NULL : "n+");
		assert_string_same(msg.metadata->file.media_type, failed && n == 2 ? NULL : "m+");
		assert_string_same(msg.metadata->file.description, failed && n == 3 ? NULL : "d+");
	} while (failed);
	assert_int_equal(n, 5);
	xmpp_stanza_release(stanza);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded),  cmocka_unit_test(test_requests),
		cmocka_unit_test(test_misshapen), cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_encode),	  cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_pieces),
	};
	return cmocka_run_group_tests(tests, stanzas_set_up, stanzas_tear_down);
}
