/* SPDX-License-Identifier: MIT */
#include "xmpp/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h> /* all of TCP_INFO */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* 128 KiB, and the write that went beyond it. */
#define MOST_UNSENT ((size_t)160 * 1024)

/* Two ends of a TCP connection; the second one can receive hardly anything. */
static void connect_pair(int fds[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(listener, errno);
	assert_return_code(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)),
			   errno);
	assert_return_code(bind(listener, (struct sockaddr *)&address, length), errno);
	assert_return_code(listen(listener, 1), errno);
	assert_return_code(getsockname(listener, (struct sockaddr *)&address, &length), errno);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_return_code(connect(fds[0], (struct sockaddr *)&address, length), errno);
	fds[1] = accept(listener, NULL, NULL);
	assert_return_code(fds[1], errno);
	close(listener);
}

/* A server that does not read: what waits for it waits in the core, where other streams, and
 * acknowledgements, can overtake it. */
static void test_the_kernel_queues_little(void **state)
{
	static const char bytes[16384];
	struct socket socket;
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);
	int fds[2], placeholder = open("/dev/null", O_RDWR);
	(void)state;
	connect_pair(fds);
	assert_return_code(fcntl(fds[0], F_SETFL, O_NONBLOCK), errno);
	assert_int_equal(socket_init(&socket), 0);
	socket_offer(&socket, fds[0]);
	assert_int_equal(socket_adopt(&socket, placeholder), 0);
	while (write(placeholder, bytes, sizeof(bytes)) > 0) {
	}
	assert_int_equal(errno, EAGAIN);
	assert_return_code(getsockopt(placeholder, IPPROTO_TCP, TCP_INFO, &info, &length), errno);
	assert_true(info.tcpi_notsent_bytes <= MOST_UNSENT);
	socket_finish(&socket);
	close(placeholder);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_kernel_queues_little),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
