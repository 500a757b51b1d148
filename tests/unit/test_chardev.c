/* SPDX-License-Identifier: MIT */
/* Character backends: sockets, pipes, files, pty, the multiplexer, error texts. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>
#include "hw/core/chardev.h"
#include "tests/unit/pci_board.h"
#include "util/alloc.h"
#include "util/loop.h"

/* A device end that records. */
typedef struct {
    char got[256];
    size_t n, room;
    int opened, closed, breaks, focus_in, focus_out;
} End;

static End dev, mon;
static char dir[64];

static size_t end_room(void *opaque)
{
    return ((End *)opaque)->room;
}

static void end_receive(void *opaque, const uint8_t *buf, size_t n)
{
    End *e = opaque;
    assert_true(n <= e->room);
    memcpy(e->got + e->n, buf, n);
    e->n += n;
    e->room -= n;
}

static void end_event(void *opaque, int event)
{
    End *e = opaque;
    e->opened += event == CHAR_OPENED;
    e->closed += event == CHAR_CLOSED;
    e->breaks += event == CHAR_BREAK;
    e->focus_in += event == CHAR_FOCUS_IN;
    e->focus_out += event == CHAR_FOCUS_OUT;
}

static const CharClient dev_client = { end_room, end_receive, end_event, &dev };
static const CharClient mon_client = { end_room, end_receive, end_event, &mon };

static bool make_monitor(CharBackend *c, Error *err)
{
    return chardev_attach(c, &mon_client, err);
}

static int setup(void **state)
{
    *state = board_create();
    dev = mon = (End){ .room = 200 };
    strcpy(dir, "/tmp/dyad-test-char-XXXXXX");
    assert_non_null(mkdtemp(dir));
    chardev_set_monitor_factory(make_monitor);
    return 0;
}

static int teardown(void **state)
{
    board_destroy(*state);
    char *cmd = xasprintf("rm -r %s", dir);
    assert_int_equal(system(cmd), 0);
    free(cmd);
    return 0;
}

static CharBackend *open_short(Board *b, const char *fmt, const char *name)
{
    Error err = ERROR_INIT;
    char *file = xasprintf("%s/%s", dir, name), *spec = xasprintf(fmt, file);
    CharBackend *c = chardev_open(&b->m, spec, "c", &err);
    if (!c) {
        print_error("%s: %s\n", spec, err.msg);
    }
    assert_non_null(c);
    free(file);
    free(spec);
    return c;
}

static int dial(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof(a.sun_path), "%.60s/%.20s", dir, name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void attach(CharBackend *c)
{
    Error err = ERROR_INIT;
    assert_true(chardev_attach(c, &dev_client, &err));
}

static void turns(Board *b, int n)
{
    while (n--) {
        machine_unlock(&b->m);
        loop_run_once(b->m.loop, 20000000);
        machine_lock(&b->m);
    }
}

static void unix_server_serves_one_peer_after_another(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "unix:%s,server=on,wait=off", "s");
    attach(c);
    assert_int_equal(chardev_write(c, (const uint8_t *)"lost", 4), 4);  /* nobody there */
    for (int round = 1; round <= 2; round++) {
        char text[8] = "";
        int fd = dial("s");
        turns(b, 3);
        assert_int_equal(dev.opened, round);
        assert_int_equal(write(fd, "abc", 3), 3);
        turns(b, 2);
        assert_int_equal(dev.n, 3 * round);
        chardev_write(c, (const uint8_t *)"out", 3);
        assert_int_equal(read(fd, text, sizeof(text)), 3);
        assert_string_equal(text, "out");
        close(fd);
        turns(b, 2);
        assert_int_equal(dev.closed, round);
    }
}

static void input_waits_until_the_device_takes_it(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "unix:%s,server,nowait", "s");
    attach(c);
    dev.room = 2;
    int fd = dial("s");
    assert_int_equal(write(fd, "abcdef", 6), 6);
    turns(b, 5);
    assert_int_equal(dev.n, 2);
    dev.room = 3;
    chardev_accept_input(c);
    turns(b, 3);
    assert_int_equal(dev.n, 5);
    dev.room = 10;
    chardev_accept_input(c);
    turns(b, 3);
    assert_memory_equal(dev.got, "abcdef", 6);
    close(fd);
}

static void a_peer_that_does_not_read_cannot_stop_the_machine(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "unix:%s,server=on,wait=off", "s");
    attach(c);
    int fd = dial("s");
    turns(b, 3);
    static uint8_t block[65536];
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(chardev_write(c, block, sizeof(block)), sizeof(block));
    }
    size_t got = 0;
    for (ssize_t n; (n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) > 0;) {
        got += n;
        turns(b, 1);
    }
    assert_true(got >= 1 << 20 && got < 100 * 65536);   /* the queue's bound, not all */
    close(fd);
}

static void file_takes_output(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "file:%s", "log");
    attach(c);
    chardev_write(c, (const uint8_t *)"line\n", 5);
    char *name = xasprintf("%s/log", dir), text[8] = "";
    int fd = open(name, O_RDONLY);
    assert_int_equal(read(fd, text, 8), 5);
    assert_string_equal(text, "line\n");
    close(fd);
    free(name);
}

/* A chroot without /dev/pts has no pseudo-terminals to test with. */
static void need_terminals(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    bool there = master >= 0 && ptsname(master) && access(ptsname(master), F_OK) == 0;

    close(master);
    if (!there) {
        print_message("SKIP: no pseudo-terminals on this machine\n");
        skip();
    }
}

static void pty_carries_bytes_unchanged(void **state)
{
    need_terminals();
    Board *b = *state;
    Error err = ERROR_INIT;
    char *link = xasprintf("%s/tty", dir), *spec = xasprintf("pty,id=p,path=%s", link), text[8];
    CharBackend *c = chardev_open_option(&b->m, spec, &err);
    assert_non_null(c);
    attach(c);
    int fd = open(link, O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "\x03\r\n", 3), 3);
    turns(b, 3);
    assert_int_equal(dev.n, 3);
    assert_memory_equal(dev.got, "\x03\r\n", 3);
    chardev_write(c, (const uint8_t *)"a\nb", 3);
    assert_int_equal(read(fd, text, 8), 3);
    assert_memory_equal(text, "a\nb", 3);
    close(fd);
    free(link);
    free(spec);
}

static void mux_escape_switches_breaks_and_quits(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "mon:unix:%s,server=on,wait=off", "s");
    attach(c);
    int fd = dial("s");
    turns(b, 3);
    assert_int_equal(dev.opened, 1);        /* the guest has the focus, */
    assert_int_equal(mon.opened, 0);        /* the monitor keeps quiet */
    assert_int_equal(write(fd, "a\x01\x01" "b", 4), 4);
    turns(b, 2);
    assert_int_equal(dev.n, 3);
    assert_memory_equal(dev.got, "a\x01" "b", 3);
    assert_int_equal(write(fd, "\x01" "b\x01" "cinfo", 8), 8);
    turns(b, 3);
    assert_int_equal(dev.breaks, 1);
    assert_int_equal(dev.focus_out, 1);
    assert_int_equal(mon.opened, 1);
    assert_int_equal(mon.n, 4);
    assert_memory_equal(mon.got, "info", 4);
    assert_int_equal(write(fd, "\x01" "cx", 3), 3);
    turns(b, 3);
    assert_int_equal(dev.focus_in, 1);
    assert_int_equal(dev.n, 4);
    char text[1024] = "";
    assert_int_equal(write(fd, "\x01h", 2), 2);
    turns(b, 2);
    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(text, "C-a x    quit"));
    assert_false(b->m.shutdown_requested);
    assert_int_equal(write(fd, "\x01x", 2), 2);
    turns(b, 2);
    assert_true(b->m.shutdown_requested);
    close(fd);
}

static void mux_escape_works_while_the_guest_hangs(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "mon:unix:%s,server=on,wait=off", "s");
    attach(c);
    dev.room = 0;
    int fd = dial("s");
    static char typed[2000];
    memset(typed, 'z', sizeof(typed));
    assert_int_equal(write(fd, typed, sizeof(typed)), sizeof(typed));
    assert_int_equal(write(fd, "\x01" "chelp", 6), 6);
    turns(b, 60);
    assert_int_equal(dev.n, 0);
    assert_int_equal(mon.n, 4);
    assert_memory_equal(mon.got, "help", 4);
    close(fd);
}

static void detaching_the_focused_client_passes_the_focus(void **state)
{
    Board *b = *state;
    CharBackend *c = open_short(b, "mon:unix:%s,server=on,wait=off", "s");
    attach(c);
    int fd = dial("s");
    turns(b, 3);
    chardev_detach(c, &dev);
    assert_int_equal(write(fd, "x", 1), 1);
    turns(b, 2);
    assert_int_equal(mon.n, 1);
    close(fd);
}

static void one_device_per_backend_unless_shared(void **state)
{
    Board *b = *state;
    Error err = ERROR_INIT;
    CharBackend *c = chardev_open_option(&b->m, "null,id=n", &err);
    attach(c);
    assert_false(chardev_attach(c, &mon_client, &err));
    assert_non_null(strstr(err.msg, "mux=on shares it"));
    error_free(&err);
    assert_ptr_equal(chardev_open(&b->m, "chardev:n", "x", &err), c);
}

static void refuse(Board *b, bool option, const char *spec, const char *text)
{
    Error err = ERROR_INIT;
    assert_null(option ? chardev_open_option(&b->m, spec, &err)
                : chardev_open(&b->m, spec, "c", &err));
    board_refused(&err, spec, text);
}

static void wrong_options_are_named(void **state)
{
    Board *b = *state;
    refuse(b, false, "stdoi", "did you mean 'stdio'");
    refuse(b, false, "tcp:4444", "expected HOST:PORT");
    refuse(b, false, "tcp:localhost:4444,sever=on", "did you mean 'server'");
    refuse(b, false, "unix:/nonexistent/s", "cannot connect to '/nonexistent/s'");
    refuse(b, false, "file:/nonexistent/f", "cannot open '/nonexistent/f'");
    refuse(b, false, "chardev:nix", "no -chardev has this id");
    refuse(b, true, "sokcet,id=x", "did you mean 'socket'");
    refuse(b, true, "null", "id: one is needed");
    refuse(b, true, "file,id=x", "path: a path is needed");
    refuse(b, true, "socket,id=x", "expected either path=PATH or host=HOST,port=PORT");
    refuse(b, true, "socket,id=x,path=/a,pth=b", "did you mean 'path'");
}

/* The child has the pty as its terminal: echoes what it gets until the parent's 'q'. */
static int terminal_child(Board *b, int slave)
{
    Error err = ERROR_INIT;
    if (dup2(slave, 0) < 0 || dup2(slave, 1) < 0) {
        return 1;
    }
    CharBackend *c = chardev_open(&b->m, "mon:stdio", "t", &err);
    if (!c || !chardev_attach(c, &dev_client, &err)) {
        return 2;
    }
    if (chardev_open(&b->m, "stdio", "u", &err) || !strstr(err.msg, "stdio is used by 't'")) {
        return 3;
    }
    chardev_write(c, (const uint8_t *)"ready", 5);
    for (size_t shown = 0; !dev.n || dev.got[dev.n - 1] != 'q'; shown = dev.n) {
        turns(b, 1);
        chardev_write(c, (const uint8_t *)dev.got + shown, dev.n - shown);
    }
    chardev_close_all(&b->m);
    return 0;
}

static void stdio_makes_the_terminal_raw_and_restores_it(void **state)
{
    need_terminals();
    Board *b = *state;
    int master = posix_openpt(O_RDWR | O_NOCTTY), status;
    assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct termios before, during, after;
    char text[16] = "";
    assert_int_equal(tcgetattr(slave, &before), 0);
    assert_true(before.c_lflag & ICANON);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(terminal_child(b, slave));
    }
    assert_int_equal(read(master, text, 5), 5);
    assert_string_equal(text, "ready");
    assert_int_equal(tcgetattr(slave, &during), 0);
    assert_int_equal(during.c_lflag & (ICANON | ECHO | ISIG), 0);
    assert_int_equal(write(master, "\x03", 1), 1);   /* ctrl-c is the guest's */
    assert_int_equal(read(master, text, 1), 1);
    assert_int_equal(text[0], 3);
    assert_int_equal(write(master, "q", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(tcgetattr(slave, &after), 0);
    assert_int_equal(after.c_lflag, before.c_lflag);
    assert_int_equal(after.c_iflag, before.c_iflag);
    close(slave);
    close(master);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(unix_server_serves_one_peer_after_another),
        T(input_waits_until_the_device_takes_it),
        T(a_peer_that_does_not_read_cannot_stop_the_machine),
        T(file_takes_output),
        T(pty_carries_bytes_unchanged),
        T(stdio_makes_the_terminal_raw_and_restores_it),
        T(mux_escape_switches_breaks_and_quits),
        T(mux_escape_works_while_the_guest_hangs),
        T(detaching_the_focused_client_passes_the_focus),
        T(one_device_per_backend_unless_shared),
        T(wrong_options_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
