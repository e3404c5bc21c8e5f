/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mount/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A manager that listens at `name`, "@" for an abstract one; its socket. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	memcpy(address.sun_path, name, strlen(name));
	if (*name == '@') {
		address.sun_path[0] = '\0';
	}
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_true(notify_is_enabled());
	return fd;
}

/* The next datagram is `text`; NULL: there is none. */
static void expect(int fd, const char *text)
{
	char got[1024];
	ssize_t length = recv(fd, got, sizeof(got) - 1, 0);
	if (!text) {
		assert_int_equal(length, -1);
		return;
	}
	assert_true(length > 0);
	got[length] = '\0';
	assert_string_equal(got, text);
}

static void check(const char *name)
{
	char ready[128], line[1024];
	int fd = listen_at(name);
	snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%ld\nSTATUS=online", (long)getpid());
	notify_ready("online");
	expect(fd, ready);
	assert_false(notify_status("online"));
	expect(fd, NULL);
	assert_true(notify_status("down"));
	expect(fd, "STATUS=down");
	notify_reloaded(12);
	expect(fd, "RELOADING=1\nMONOTONIC_USEC=12");
	expect(fd, "READY=1");
	notify_stopping();
	expect(fd, "STOPPING=1");

	/* A line that is too long is cut, and sent once. */
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	notify_status(line);
	char got[1024];
	assert_int_equal(recv(fd, got, sizeof(got), 0), strlen("STATUS=") + 511);
	notify_status(line);
	expect(fd, NULL);
	close(fd);
	notify_status("nobody listens");
}

static void test_sockets(void **state)
{
	char folder[] = "/tmp/ibbfs-notify-XXXXXX", name[64];
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(name, sizeof(name), "%s/socket", folder);
	check(name);
	assert_int_equal(unlink(name) || rmdir(folder), 0);
	snprintf(name, sizeof(name), "@ibbfs-notify-%ld", (long)getpid());
	check(name);
}

static void test_without_a_manager(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_false(notify_is_enabled());
	notify_ready("x");
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_false(notify_is_enabled());
	notify_stopping();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_without_a_manager),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
