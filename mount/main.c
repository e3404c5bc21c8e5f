/* SPDX-License-Identifier: MIT */
/*
 * ibbfs - an XMPP account as a directory tree; files are In-Band Bytestreams (XEP-0047).
 *
 *     kernel --- /dev/fuse ---> ops --+                +--- client <--- TLS ---> server
 *                  main thread        +----> hub <-----+    XMPP thread
 *                                         |  |  the one mutex
 *                                   account  +----- disk: a pool of threads per disk
 *
 * The files, from the outside in:
 *
 *   mount/     the daemon
 *     main      the command line            daemon    its parts: their start and their end
 *     daemonize the process in the background
 *     disks     inbox and spool: their start and their end
 *     hub       where the threads meet: the lock, with
 *       hub_events from the wire            hub_calls of the file system
 *       hub_disk  calls that wait for a disk hub_transfers uploads, and the inbox
 *     log       lines on stderr or syslog   notify    the service manager
 *     suspend   whether the machine could sleep   memory    what malloc keeps of it
 *   mount/process/ what /proc says of processes
 *     caller    the process behind a request: its signals
 *     writers   whether a close is the last one of a file
 *     descriptors which of some files a process has open for writing
 *     device    tells open files of our mount from those of another
 *     proc      reads /proc
 *   mount/cli/  the command line
 *     options   the whole command line      option_table every option there is
 *     option    what an option sets         value     of an option, from its text
 *     config    the account's file          home      where that is
 *     argument  JID and mount point         mount_helper arguments of mount(8)
 *     endpoint  HOST[:PORT]                 usage     what --help prints
 *     password  where it comes from         privilege another user than root
 *   mount/fuse/ what the kernel asks for; only here is libfuse
 *     mainloop  the main thread             ops       libfuse's operations
 *     ops_names operations on names         ops_files operations on open files
 *     ops_directories                       operations on open directories
 *     call      a request that may wait
 *     interrupts which signals end a wait   closes    flushes that come together
 *     search    for other writers, in a thread of its own
 *   mount/disk/ files on disk
 *     spool     a file that will be offered spool_ops calls on it
 *     upload    sends a spool to the peer
 *     inbox     a directory that receives   inbox_ops calls on files in it
 *     download  receives a file there       quota     of the disk, used and reserved
 *     room      is made for files that are received
 *     slots     how many of them come at once, and of whom
 *     claim     a file's share of the quota part_file NAME.part, until it gets its name
 *     download_file its bytes and its end   location  where in the inbox it is
 *     download_part what an earlier stream has left of it
 *     beginning of an offered file: what is there already
 *     journal   of a stream, for the next process   journal_format its bytes
 *     restart   what was in the inbox       verification     of a part, by its journal
 *     verdict_file answers to <close/>, for the next process
 *     checksum  of bytes on disk            scan      reads a file, some at a time
 *     folder    directories in the inbox, by paths
 *     directories which of them are durable
 *     transfer  an upload or a download, piece by piece
 *     digests   of files that did not come whole
 *     pool      threads for the calls of a disk
 *     worker    a thread that does all that waits together
 *     syncer    makes files durable         thread    starts one
 *     task      what these threads are given   watchdog  tells whether a disk hangs
 *   src/       below all of the parts in it
 *     clock     the time by which everything waits
 *   src/account/ the account as a file system: no I/O, no thread
 *     dispatch  what comes off the wire     timer     what happens as time passes
 *     shutdown  the end of the mount
 *     arrival   what a peer sends gets its name
 *     access    who may reach us            status    the text of `status`
 *     file      open, read, write, flush    release   the end of an open file
 *     poll      who waits for something new
 *     routing   which resource a stream goes to
 *     query     disco#info and pings that await their answers
 *     creation  what mkdir makes          folder     folders in in/
 *     surplus   resources that a contact has too many of
 *     directory which directories there are
 *     entry     what calls find, make and remove in them
 *     incoming  `incoming` and `next`       format    how a file reaches a peer
 *     spool_file files that are spooled, and offered as a whole
 *     inbox_file files that arrive and go into the inbox
 *     inbox_entry names that stand for files there
 *     inbox_part files that did not come whole, and their names
 *     parts     which files these are
 *     handle    an open file description    attribute user.ibb.*
 *     account   what all of these share
 *     tree      directories and names       listing   one directory, as readdir gives it
 *     node      a directory or a file       stream_file the session of a file
 *     name      names off the wire        defaults  settings of new streams
 *   src/xmpp/  the connection; only here is libstrophe
 *     client    the thread                loop      what the thread waits for
 *     exchange  writes, and reads         reader    reads in libstrophe's place
 *     session   one connection            handlers  dispatch its stanzas
 *     negotiation of the stream           login     filters it for libstrophe
 *     challenge of SASL: what libstrophe can answer
 *     connector connects a socket         candidates which address is tried, and when
 *     resolution of targets and addresses lookup    one query, in a thread
 *     srv       SRV records               socket    of libstrophe, duplicated
 *     readiness of the socket             keepalive when to ping the server
 *     sleep_watch whether the machine has slept
 *     coalescing of what comes fast
 *     write_buffer coalesces stanzas      cause     why connecting failed, in one line
 *     codec     stanzas and messages, with one file each for
 *       codec_ibb bytestreams               codec_info disco#info
 *       codec_si  stream initiation         codec_jingle Jingle
 *       codec_file metadata of these two    codec_error stanza errors
 *     features  our disco#info and capabilities
 *     element   parses a stanza           writer    serialises a stanza
 *     text      numbers and dates in text stream_features of the server: its limits
 *     interpose symbol interposition, for
 *       reparse_deferral of expat           stanza_limits depth, elements and bytes of a stanza
 *       stanza_log its cost                 channel_binding of the login to TLS
 *       tls       ALPN, the name, version
 *     trace     stanzas for the debugger, without secrets
 *     jid       addresses                 roster    contacts, their resources and features
 *     roster_parser takes the items out of a roster
 *   src/offer/ files that are offered: likewise
 *     offers    all offers of an account  offer      one offer
 *     incoming  files offered to us       outgoing   files that we offer
 *     si        stream initiation         jingle     Jingle file transfer
 *     jingle_reason why a Jingle session ends
 *   src/ibb/   the protocol: no I/O, no thread, no clock
 *     ibb       all streams of an account dispatch   requests, to their streams
 *     registry  how a stream is found     answer     answers, to the stream that asked
 *     verdicts  answers to <close/>       timeout    keepalive, retries, giving up
 *     delivery  blocks sent, their acks   reception  blocks received
 *     writing   writes, flushes           reading    reads, memory
 *     opening   <open/>                   closing    <close/>
 *     resumption of broken connections    reopening  another session, with shorter blocks
 *     restoring  after a restart
 *     state      suspended, proceeding, over
 *     request   ids, <open/>, probes      stream     the struct, deadlines, lists
 *       with its parts: stream_session, stream_outgoing, stream_incoming, stream_resumption
 *     sender    bytes until acknowledged  receiver   bytes until read
 *     pieces    that the peer has already skip       bytes that are not sent
 *     skipping  what is written, by that  paging     digests of pieces, asked for
 *     part      what we have already
 *     window    bytes in flight           path_cache measured by earlier streams
 *     sharing   the queue of all windows
 *     block_size chosen by measurement    path_mtu   longest block that servers carry
 *     limits    quotas of peers
 *     msg       a stanza for the core     effects    stanzas to send, completed calls
 *     metadata  of an offered file        hash       its digest
 *     op        a call that waits         queue      bytes, first in, first out
 *     condition stanza errors and errnos  base64, and base64_vector for most of it
 *     utf8      text that is too long
 */
#include "mount/cli/options.h"
#include "mount/cli/password.h"
#include "mount/cli/privilege.h"
#include "mount/daemon.h"
#include "mount/daemonize.h"
#include "mount/log.h"
#include "mount/memory.h"

#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2

int main(int argc, char *argv[])
{
	struct options options;
	int status = EXIT_FAILURE;

	log_start(false);
	int error = daemonize_open_standard();
	if (error < 0) {
		log_error("/dev/null: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	privilege_hide();
	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_DONE:
		options_finish(&options);
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		options_finish(&options);
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	log_start(options.debug);
	memory_init();

	char *password = password_read(&options);
	if (password) {
		status = daemon_run(&options, &password);
	}
	password_wipe(password);
	options_finish(&options);
	return status;
}
