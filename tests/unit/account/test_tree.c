/* SPDX-License-Identifier: MIT */
/* tree, its nodes (node.h), and listing: the entries of a directory. */
#include "account/listing.h"
#include "account/tree.h"
#include "failing_malloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void start(struct tree *tree)
{
	assert_int_equal(tree_init(tree, 1000, 100), 0);
}

static struct node *add(struct tree *tree, struct node *parent, enum node_kind kind,
			const char *name, const char *jid)
{
	struct node *node = tree_add(tree, parent, kind, name, jid);
	assert_non_null(node);
	return node;
}

static void test_init(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	assert_int_equal(tree.root->ino, TREE_ROOT_INO);
	assert_ptr_equal(tree_find(&tree, TREE_ROOT_INO), tree.root);
	assert_null(tree_find(&tree, 0));
	assert_null(tree_find(&tree, 99));
	assert_ptr_equal(tree_child(&tree, tree.root, "incoming"), tree.incoming);
	assert_int_equal(tree.incoming->kind, NODE_INCOMING);
	assert_int_equal(tree_child(&tree, tree.root, "status")->kind, NODE_STATUS);
	assert_null(tree_child(&tree, tree.root, "statu"));
	assert_int_equal(HASH_COUNT(tree.nodes), 3);
	tree_finish(&tree);
	assert_null(tree.root);
}

/* How soon each name may appear or vanish without a call. */
static void test_pace(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *resource = add(&tree, contact, NODE_RESOURCE, "phone", "a@x/phone");
	struct node *in = tree_only(contact, NODE_IN);
	struct node *outgoing = add(&tree, contact, NODE_OUTGOING, "f", NULL);
	struct node *folder = add(&tree, contact, NODE_FOLDER, "d", NULL);
	struct node *received = add(&tree, in, NODE_FOLDER, "d", NULL);
	const struct {
		const struct node *directory, *node;
		enum tree_pace pace;
	} rows[] = {
		{tree.root, contact, TREE_ROSTER},
		{tree.root, tree.incoming, TREE_STANZAS},
		{tree.root, NULL, TREE_STANZAS},
		{contact, in, TREE_ROSTER},
		{contact, resource, TREE_STANZAS},
		{contact, outgoing, TREE_CALLS},
		{contact, NULL, TREE_CALLS},
		{resource, add(&tree, resource, NODE_OUTGOING, "f", NULL), TREE_CALLS},
		{resource, NULL, TREE_CALLS},
		{in, add(&tree, in, NODE_ARRIVED, "f", NULL), TREE_STANZAS},
		{in, tree_only(in, NODE_NEXT), TREE_STANZAS},
		{in, NULL, TREE_STANZAS},
		{contact, folder, TREE_CALLS},
		{folder, add(&tree, folder, NODE_OUTGOING, "f", NULL), TREE_CALLS},
		{folder, NULL, TREE_CALLS},
		{in, received, TREE_STANZAS},
		{received, NULL, TREE_STANZAS},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(tree_pace(rows[i].directory, rows[i].node), rows[i].pace);
	}
	/* A refusal removes the name. */
	struct stream stream = {.state = STREAM_NEW};
	outgoing->file.stream = &stream;
	assert_int_equal(tree_pace(contact, outgoing), TREE_STANZAS);
	stream.state = STREAM_OPENING;
	assert_int_equal(tree_pace(contact, outgoing), TREE_STANZAS);
	stream.state = STREAM_OPEN;
	assert_int_equal(tree_pace(contact, outgoing), TREE_CALLS);
	outgoing->file.stream = NULL;
	tree_finish(&tree);
}

static void test_umask(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	tree_set_umask(&tree, 022);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	assert_int_equal(tree.root->mode, S_IFDIR | 0755);
	assert_int_equal(tree.incoming->mode, S_IFREG | 0444);
	assert_int_equal(contact->mode, S_IFDIR | 0755);
	assert_int_equal(tree_only(tree_only(contact, NODE_IN), NODE_NEXT)->mode, S_IFREG | 0644);
	tree_finish(&tree);
}

/* The attributes (stat) of each kind. */
static void test_attributes(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *in = tree_only(contact, NODE_IN);
	const struct {
		const struct node *node;
		mode_t mode;
	} rows[] = {
		{tree.root, S_IFDIR | 0700},
		{tree.incoming, S_IFREG | 0400},
		{tree_only(tree.root, NODE_STATUS), S_IFREG | 0400},
		{contact, S_IFDIR | 0700},
		{in, S_IFDIR | 0700},
		{tree_only(in, NODE_NEXT), S_IFREG | 0600},
		{add(&tree, contact, NODE_RESOURCE, "r", "a@x/r"), S_IFDIR | 0700},
		{add(&tree, contact, NODE_OUTGOING, "o", NULL), S_IFREG | 0600},
		{add(&tree, in, NODE_ARRIVED, "i", NULL), S_IFREG | 0600},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct stat attributes;
		node_attributes(rows[i].node, &attributes);
		assert_int_equal(attributes.st_ino, rows[i].node->ino);
		assert_int_equal(attributes.st_mode, rows[i].mode);
		assert_int_equal(attributes.st_nlink, S_ISDIR(rows[i].mode) ? 2 : 1);
		assert_int_equal(node_is_directory(rows[i].node), S_ISDIR(rows[i].mode) != 0);
		assert_int_equal(attributes.st_uid, 1000);
		assert_int_equal(attributes.st_gid, 100);
		assert_int_equal(attributes.st_size, 0);
		assert_true(attributes.st_mtim.tv_sec > 0);
		assert_true(attributes.st_atim.tv_sec > 0);
		assert_true(attributes.st_ctim.tv_sec > 0);
	}
	tree_finish(&tree);
}

static void test_size(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *node = add(&tree, contact, NODE_OUTGOING, "o", NULL);
	struct stream stream = {.session.announced_size = -1};
	struct stat attributes;

	static const struct {
		uint64_t size;
		blkcnt_t blocks;
	} rows[] = {{0, 0}, {1, 1}, {512, 1}, {513, 2}, {1 << 20, 2048}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		node->file.size = rows[i].size;
		node_attributes(node, &attributes);
		assert_int_equal(attributes.st_size, rows[i].size);
		assert_int_equal(attributes.st_blocks, rows[i].blocks);
	}

	/* The size of a stream: bytes written, the announced size, or bytes received at the end. */
	node->file.stream = &stream;
	stream.outgoing.sender.written = 7;
	stream.incoming.receiver.received = 9;
	node_attributes(node, &attributes);
	assert_int_equal(attributes.st_size, 7);
	stream.is_incoming = true;
	stream.state = STREAM_OPEN;
	node_attributes(node, &attributes);
	assert_int_equal(attributes.st_size, 0);
	stream.state = STREAM_BROKEN;
	node_attributes(node, &attributes);
	assert_int_equal(attributes.st_size, 0);
	stream.state = STREAM_CLOSED;
	node_attributes(node, &attributes);
	assert_int_equal(attributes.st_size, 9);
	stream.session.announced_size = 0;
	node_attributes(node, &attributes);
	assert_int_equal(attributes.st_size, 0);
	stream.session.announced_size = (int64_t)1 << 40;
	node_attributes(node, &attributes);
	assert_int_equal(attributes.st_size, (int64_t)1 << 40);
	node->file.stream = NULL;
	tree_finish(&tree);
}

/* But for ctime. Field by field: on some machines the struct has padding. */
static void assert_unchanged(const struct stat *before, const struct stat *after)
{
	assert_int_equal(before->st_ino, after->st_ino);
	assert_int_equal(before->st_mode, after->st_mode);
	assert_int_equal(before->st_nlink, after->st_nlink);
	assert_int_equal(before->st_uid, after->st_uid);
	assert_int_equal(before->st_gid, after->st_gid);
	assert_int_equal(before->st_size, after->st_size);
	assert_int_equal(before->st_blocks, after->st_blocks);
	assert_int_equal(before->st_blksize, after->st_blksize);
	assert_int_equal(before->st_atim.tv_sec, after->st_atim.tv_sec);
	assert_int_equal(before->st_atim.tv_nsec, after->st_atim.tv_nsec);
	assert_int_equal(before->st_mtim.tv_sec, after->st_mtim.tv_sec);
	assert_int_equal(before->st_mtim.tv_nsec, after->st_mtim.tv_nsec);
}

static void test_change(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct changes changes = {
		.values =
			{
				.st_mode = S_IFREG | S_ISUID | 0755,
				.st_uid = 1,
				.st_gid = 2,
				.st_size = 3,
				.st_atim = {.tv_sec = 4},
				.st_mtim = {.tv_sec = 5},
			},
	};
	struct stat before, after;
	node_attributes(contact, &before);
	contact->changed.tv_sec = 0;
	node_change(contact, &changes);
	node_attributes(contact, &after);
	assert_true(after.st_ctim.tv_sec > 0);
	assert_unchanged(&before, &after);

	/* Each field alone; a directory stays a directory. */
	changes.mode = true;
	node_change(contact, &changes);
	assert_int_equal(contact->mode, S_IFDIR | S_ISUID | 0755);
	assert_int_equal(contact->uid, 1000);
	changes.uid = true;
	node_change(contact, &changes);
	assert_int_equal(contact->uid, 1);
	assert_int_equal(contact->gid, 100);
	changes.gid = true;
	node_change(contact, &changes);
	assert_int_equal(contact->gid, 2);
	assert_true(contact->accessed.tv_sec > 5);
	changes.accessed = true;
	node_change(contact, &changes);
	assert_int_equal(contact->accessed.tv_sec, 4);
	assert_true(contact->modified.tv_sec > 5);
	changes.modified = true;
	node_change(contact, &changes);
	assert_int_equal(contact->modified.tv_sec, 5);
	assert_int_equal(contact->file.size, 0);

	contact->changed.tv_sec = 0;
	node_touch(contact);
	assert_true(contact->modified.tv_sec > 5);
	assert_int_equal(contact->changed.tv_sec, contact->modified.tv_sec);
	assert_int_equal(contact->accessed.tv_sec, 4);
	tree_finish(&tree);
}

static void test_add(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	char jid[] = "a@x", name[] = "A@x";
	tree.root->modified.tv_sec = 0;
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, name, jid);
	jid[0] = name[0] = '?'; /* they are copied */
	assert_string_equal(contact->name, "A@x");
	assert_string_equal(contact->directory.jid, "a@x");
	assert_ptr_equal(contact->parent, tree.root);
	assert_ptr_equal(tree_child(&tree, tree.root, "A@x"), contact);
	assert_int_equal(contact->file.expires_ms, NODE_NEVER);
	assert_true(tree.root->modified.tv_sec > 0);

	struct node *in = tree_child(&tree, contact, "in");
	assert_ptr_equal(tree_only(contact, NODE_IN), in);
	assert_ptr_equal(tree_child(&tree, in, "next"), tree_only(in, NODE_NEXT));
	assert_null(tree_only(contact, NODE_NEXT));
	assert_null(tree_only(contact, NODE_OUTGOING));

	/* By any JID below it. */
	struct node *domain = add(&tree, tree.root, NODE_CONTACT, "x", "x");
	struct node *resource = add(&tree, contact, NODE_RESOURCE, "r", "a@x/r");
	assert_ptr_equal(tree_contact(&tree, "a@x"), contact);
	assert_ptr_equal(tree_contact(&tree, "a@x/r"), contact);
	assert_ptr_equal(tree_contact(&tree, "x"), domain);
	assert_null(tree_contact(&tree, "a@"));
	assert_null(tree_contact(&tree, "status"));

	/* Numbers are never used twice. */
	uint64_t last = resource->ino;
	tree_detach(&tree, resource);
	assert_null(tree_find(&tree, last));
	assert_int_equal(add(&tree, contact, NODE_RESOURCE, "r", "a@x/r")->ino, last + 1);
	tree_finish(&tree);
}

/* A node lives while it is in the tree, looked up or open. */
static void test_life(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *node = add(&tree, contact, NODE_OUTGOING, "o", NULL);
	uint64_t ino = node->ino;

	/* In the tree. */
	node->lookups = 2;
	tree_forget(&tree, node, 2);
	node->handles = 1;
	tree_close(&tree, node);
	tree_forget(&tree, node, 5);
	assert_int_equal(node->lookups, 0);
	assert_ptr_equal(tree_find(&tree, ino), node);

	/* Looked up, then open. */
	node->lookups = 3;
	node->handles = 2;
	contact->modified.tv_sec = 0;
	tree_detach(&tree, node);
	assert_true(contact->modified.tv_sec > 0);
	assert_null(node->parent);
	assert_null(tree_child(&tree, contact, "o"));
	tree_forget(&tree, node, 2);
	assert_int_equal(node->lookups, 1);
	tree_forget(&tree, node, 1);
	tree_close(&tree, node);
	assert_ptr_equal(tree_find(&tree, ino), node);
	tree_close(&tree, node);
	assert_null(tree_find(&tree, ino));

	/* Open, then looked up; forgotten more often than it was looked up. */
	node = add(&tree, contact, NODE_OUTGOING, "o", NULL);
	ino = node->ino;
	node->lookups = 1;
	node->handles = 1;
	tree_detach(&tree, node);
	tree_close(&tree, node);
	assert_ptr_equal(tree_find(&tree, ino), node);
	tree_forget(&tree, node, 2);
	assert_null(tree_find(&tree, ino));

	/* The root stays. */
	tree_forget(&tree, tree.root, 1);
	assert_ptr_equal(tree_find(&tree, TREE_ROOT_INO), tree.root);
	tree_finish(&tree);
}

static void test_detach_all_below(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *resource = add(&tree, contact, NODE_RESOURCE, "r", "a@x/r");
	struct node *open = add(&tree, resource, NODE_OUTGOING, "open", NULL);
	add(&tree, resource, NODE_OUTGOING, "closed", NULL);
	struct node *in = tree_only(contact, NODE_IN);
	in->lookups = 1;
	open->handles = 1;

	tree_detach(&tree, contact);
	assert_int_equal(HASH_COUNT(tree.nodes), 5);
	assert_null(tree_contact(&tree, "a@x"));
	assert_null(in->children);
	assert_null(in->parent);
	assert_null(open->parent);
	/* Once more is nothing. */
	tree_detach(&tree, in);
	assert_int_equal(HASH_COUNT(tree.nodes), 5);
	tree_forget(&tree, in, 1);
	tree_close(&tree, open);
	assert_int_equal(HASH_COUNT(tree.nodes), 3);
	tree_finish(&tree);
}

static void test_path(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *in = tree_only(contact, NODE_IN);
	struct node *node = add(&tree, in, NODE_ARRIVED, "b c", NULL);
	char path[16];

	assert_int_equal(node_path(tree.root, path, sizeof(path)), 0);
	assert_int_equal(node_path(tree.incoming, path, sizeof(path)), 8);
	assert_string_equal(path, "incoming");
	assert_int_equal(node_path(node, path, sizeof(path)), 10);
	assert_string_equal(path, "a@x/in/b c");
	assert_int_equal(node_path(node, path, 11), 10);
	for (size_t size = 1; size < 11; size++) {
		assert_int_equal(node_path(node, path, size), -1);
	}
	contact->lookups = in->lookups = node->lookups = 1;
	tree_detach(&tree, contact);
	assert_int_equal(node_path(contact, path, sizeof(path)), -1);
	assert_int_equal(node_path(node, path, sizeof(path)), -1);
	tree_finish(&tree);
}

static void test_listing(void **state)
{
	(void)state;
	struct tree tree;
	start(&tree);
	struct node *contact = add(&tree, tree.root, NODE_CONTACT, "a@x", "a@x");
	struct node *file = add(&tree, contact, NODE_OUTGOING, "o", NULL);

	const struct listing_entry expected[] = {
		{contact->ino, S_IFDIR | 0700, "."},
		{tree.root->ino, S_IFDIR | 0700, ".."},
		{tree_only(contact, NODE_IN)->ino, S_IFDIR | 0700, "in"},
		{file->ino, S_IFREG | 0600, "o"},
	};
	struct listing *listing = listing_create(contact);
	assert_non_null(listing);
	assert_int_equal(listing->length, COUNT(expected));
	uint64_t ino = file->ino;
	tree_detach(&tree, file); /* the entries of the directory when it was opened */
	assert_null(tree_find(&tree, ino));
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_int_equal(listing->entries[i].ino, expected[i].ino);
		assert_int_equal(listing->entries[i].mode, expected[i].mode);
		assert_string_equal(listing->entries[i].name, expected[i].name);
	}
	listing_destroy(listing);

	/* The parent of the root, and of a removed directory, is the node itself. */
	contact->lookups = 1;
	tree_detach(&tree, contact);
	const struct node *const alone[] = {tree.root, contact};
	for (size_t i = 0; i < COUNT(alone); i++) {
		listing = listing_create(alone[i]);
		assert_non_null(listing);
		assert_int_equal(listing->entries[0].ino, alone[i]->ino);
		assert_int_equal(listing->entries[1].ino, alone[i]->ino);
		assert_int_equal(listing->length, i == 0 ? 4 : 2);
		listing_destroy(listing);
	}
	listing_destroy(NULL);
	tree_finish(&tree);
}

static void test_memory(void **state)
{
	(void)state;
	/* tree_init succeeds completely or not at all. */
	struct tree tree;
	size_t n = 0;
	do {
		failing_malloc_arm(++n);
		int error = tree_init(&tree, 0, 0);
		assert_int_equal(error, failing_malloc_failed() ? -ENOMEM : 0);
		if (!error) {
			tree_finish(&tree);
		}
	} while (failing_malloc_disarm());
	assert_true(n > 5);

	/* Contacts, until the table has grown several times: each is complete or missing. */
	bool failed;
	size_t failures = 0;
	n = 0;
	do {
		start(&tree);
		failing_malloc_arm(++n);
		for (unsigned i = 0; i < 200; i++) {
			char jid[16];
			snprintf(jid, sizeof(jid), "%u@x", i);
			struct node *contact = tree_add(&tree, tree.root, NODE_CONTACT, jid, jid);
			if (!contact) {
				assert_null(tree_contact(&tree, jid));
				assert_int_equal(HASH_COUNT(tree.nodes), 3 + 3 * i);
				failures++;
				i--;
				continue;
			}
			assert_non_null(tree_only(tree_only(contact, NODE_IN), NODE_NEXT));
		}
		failed = failing_malloc_disarm();
		assert_int_equal(HASH_COUNT(tree.nodes), 3 + 3 * 200);
		for (uint64_t ino = 1, found = 0; found < 603; ino++) {
			struct node *node = tree_find(&tree, ino);
			found += node != NULL;
			assert_true(ino <= tree.last_ino);
		}
		tree_finish(&tree);
	} while (failed);
	assert_int_equal(failures, n - 1);

	start(&tree);
	failing_malloc_arm(1);
	assert_null(listing_create(tree.root));
	assert_true(failing_malloc_disarm());
	tree_finish(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_umask),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_detach_all_below),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_pace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
