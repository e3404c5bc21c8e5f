/* SPDX-License-Identifier: MIT */
/*
 * What an earlier stream has left of the file, NAME.part: the peer skips of it what it would send
 * anyway (src/ibb/pieces.h).
 */
#include "mount/disk/download_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

int64_t download_open_part(struct download *download, const char *name)
{
	struct part_file *file = &download->file;
	int error = location_open(&download->location, file);
	int64_t size = error ? error : part_file_reopen(file, name);
	if (size >= 0) {
		claim_adopt(&download->claim, (uint64_t)size);
	}
	return size;
}

bool download_keep_part(struct download *download, const char *name)
{
	int64_t size = download->arrival->has_part ? download_open_part(download, name) : -ENOENT;
	if (size >= 0) {
		download->part_size = (uint64_t)size;
	}
	return size >= 0;
}

/* The file may have been cut meanwhile. */
int download_skip(struct download *download, const struct op *op)
{
	struct stat status;
	if (fstat(download->file.fd, &status)) {
		return -errno;
	}
	if (op->offset > (uint64_t)status.st_size) {
		return -EBADMSG;
	}
	download->written = op->offset;
	download_note(download, op);
	return 0;
}

/* ---- its digests ---- */

bool download_begin_page(struct download *download, uint64_t first)
{
	free(download->page);
	download->page = calloc(1, sizeof(*download->page));
	if (!download->page) {
		download_fail(download, -ENOMEM, true);
		return false;
	}
	download->page->first = first;
	download_step_again(download, STAGE_PAGE);
	return true;
}

bool download_go_on_paging(struct download *download)
{
	struct page *page = download->page;
	if (hub_download_error(download->hub, download->ino)) {
		download_read_on(download, false); /* what has come, and the end */
		return true;
	}
	if (page_add(page, download->file.fd, download->part_size)) {
		download_step_again(download, STAGE_PAGE);
		return true;
	}
	hub_download_answer_page(download->hub, download->ino, page->first, page->digests[0],
				 page->count * PIECES_DIGEST);
	free(page);
	download->page = NULL;
	download_read_on(download, false);
	return true;
}

/* ---- the whole ---- */

/* Cuts off what does not belong to the file. */
static int cut(struct download *download)
{
	if (download->part_size <= download->written) {
		return 0;
	}
	int error = download_cut(download, download->written);
	if (!error) {
		download->part_size = download->written;
	}
	return error;
}

bool download_end_part(struct download *download)
{
	struct comparison *comparison = &download->comparison;
	/* A new file cannot be read, and nothing was skipped. */
	bool compares = download->part_size > 0 &&
			hub_download_digest(download->hub, download->ino, comparison->digest);
	int error = cut(download);
	if (!error && compares) {
		error = comparison_begin(comparison);
	}
	if (error) {
		download_fail(download, error, true);
		return false;
	}
	if (compares) {
		download_step_again(download, STAGE_COMPARE);
	} else {
		download_finish(download);
	}
	return true;
}

bool download_go_on_comparing(struct download *download)
{
	int error = hub_download_error(download->hub, download->ino);
	if (error) {
		download_fail(download, error, false);
		return false;
	}
	error = comparison_go_on(&download->comparison, download->file.fd, download->written);
	if (error == -EAGAIN) {
		download_step_again(download, STAGE_COMPARE);
		return true;
	}
	if (error) {
		/* The sender tries again, and what is wrong is found then. */
		download_fail(download, error, true);
		return false;
	}
	download_finish(download);
	return true;
}
