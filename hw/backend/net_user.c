/* SPDX-License-Identifier: MIT */
/*
 * -netdev user: a network of its own behind libslirp (4.7), with address translation to
 * the host's sockets. libslirp is driven from the machine's loop and, for what the guest
 * sends, from the vCPU threads; the machine lock keeps them apart. Its timers run on host
 * time.
 */
#include "hw/backend/net.h"

#include <arpa/inet.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include "hw/core/chardev.h"
#include "hw/core/machine.h"
#include "hw/core/nondet.h"
#include "util/alloc.h"
#include "util/lazylib.h"
#include "util/log.h"
#include "util/loop.h"

enum { SEARCH_MAX = 16 };

typedef struct SlirpTimer {
    SlirpTimerCb fn;
    void *opaque;
    int64_t deadline_ms;    /* host time; -1 = not armed */
    struct SlirpTimer *next;
} SlirpTimer;

typedef struct UserForward {
    struct UserNet *u;
    CharBackend *chr;
    struct in_addr addr;
    int port;
    struct UserForward *next;
} UserForward;

#define SLIRP_FNS(F) \
    F(slirp_add_exec) F(slirp_add_guestfwd) F(slirp_add_hostfwd) F(slirp_cleanup) \
    F(slirp_input) F(slirp_new) F(slirp_pollfds_fill) F(slirp_pollfds_poll) \
    F(slirp_socket_can_recv) F(slirp_socket_recv)
static struct {
    SLIRP_FNS(LAZY_FIELD)
} lib;
static const char *const lib_names[] = { SLIRP_FNS(LAZY_NAME) NULL };
static LazyLib lib_file = { SONAME_SLIRP, lib_names, (void **)&lib, false };

typedef struct UserNet {
    NetBackend n;           /* first */
    Slirp *slirp;
    LoopPoller poller;
    bool polling;
    SlirpTimer *timers;
    UserForward *forwards;
    char *search[SEARCH_MAX + 1];   /* dnssearch=, NULL-terminated */
    unsigned nsearch;
} UserNet;

typedef struct {
    char *id, *net, *host, *dns, *dhcpstart, *hostname, *tftp, *bootfile, *tftp_name,
        *domainname, *ipv6_net, *ipv6_host, *ipv6_dns;
    bool restrict_, ipv4, ipv6;
} UserOpts;

#define OPT_STR(key, field, help) \
    { key, PK_STR, offsetof(UserOpts, field), 0, 0, 0, NULL, NULL, NULL, help }
#define OPT_BOOL(key, field, def, help) \
    { key, PK_BOOL, offsetof(UserOpts, field), def, 0, 1, NULL, NULL, NULL, help }

static const Property user_props[] = {
    OPT_STR("id", id, "name for netdev="),
    OPT_STR("net", net, "the guest's network, 10.0.2.0/24"),
    OPT_STR("host", host, "the gateway's address, NET.2"),
    OPT_STR("dns", dns, "the name server's address, NET.3"),
    OPT_STR("dhcpstart", dhcpstart, "first address for guests, NET.15"),
    OPT_STR("hostname", hostname, "name the guest is told"),
    OPT_STR("domainname", domainname, "domain the guest is told"),
    OPT_STR("tftp", tftp, "directory served by tftp"),
    OPT_STR("bootfile", bootfile, "boot file the guest is told"),
    OPT_STR("tftp-server-name", tftp_name, "tftp server the guest is told"),
    OPT_STR("ipv6-prefix", ipv6_net, "IPv6 prefix, fec0::"),
    OPT_STR("ipv6-host", ipv6_host, "the gateway's IPv6 address"),
    OPT_STR("ipv6-dns", ipv6_dns, "the name server's IPv6 address"),
    OPT_BOOL("restrict", restrict_, 0, "the guest reaches nothing outside"),
    OPT_BOOL("ipv4", ipv4, 1, "IPv4"),
    OPT_BOOL("ipv6", ipv6, 1, "IPv6"),
    PROP_END
};

void net_user_help(FILE *f)
{
    fprintf(f, "user: a network behind the host's sockets\n");
    property_help(user_props, f);
    fprintf(f, "  hostfwd=tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT (repeatable)\n"
            "  guestfwd=tcp:ADDR:PORT-cmd:COMMAND or -CHARDEV (repeatable)\n"
            "  dnssearch=DOMAIN (repeatable)\n");
}

/* --- what libslirp calls --- */

static ssize_t user_send_packet(const void *buf, size_t len, void *opaque)
{
    UserNet *u = opaque;
    net_to_guest(&u->n, buf, len);
    return len;
}

static void user_guest_error(const char *msg, void *opaque)
{
    log_guest_error("netdev user: %s\n", msg);
}

static int64_t user_clock(void *opaque)
{
    return nondet_host_ns();
}

static void *user_timer_new(SlirpTimerCb fn, void *cb_opaque, void *opaque)
{
    UserNet *u = opaque;
    SlirpTimer *t = NEW(SlirpTimer);
    *t = (SlirpTimer){ fn, cb_opaque, -1, u->timers };
    u->timers = t;
    return t;
}

static void user_timer_free(void *timer, void *opaque)
{
    UserNet *u = opaque;
    for (SlirpTimer **pp = &u->timers; *pp; pp = &(*pp)->next) {
        if (*pp == timer) {
            *pp = (*pp)->next;
            break;
        }
    }
    free(timer);
}

static void user_wake(UserNet *u)
{
    if (u->n.machine && u->n.machine->loop) {
        loop_wake(u->n.machine->loop);
    }
}

static void user_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    ((SlirpTimer *)timer)->deadline_ms = expire_ms;
    user_wake(opaque);
}

static void user_poll_fd(int fd, void *opaque)
{
}

static void user_notify(void *opaque)
{
    user_wake(opaque);
}

static const SlirpCb user_cb = {
    .send_packet = user_send_packet, .guest_error = user_guest_error,
    .clock_get_ns = user_clock, .timer_new = user_timer_new, .timer_free = user_timer_free,
    .timer_mod = user_timer_mod, .register_poll_fd = user_poll_fd,
    .unregister_poll_fd = user_poll_fd, .notify = user_notify,
};

/* --- in the loop --- */

static const struct {
    int slirp;
    short host;
} poll_bits[] = {
    { SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
    { SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int user_add_poll(int fd, int events, void *opaque)
{
    short ev = 0;
    for (size_t i = 0; i < ARRAY_SIZE(poll_bits); i++) {
        ev |= events & poll_bits[i].slirp ? poll_bits[i].host : 0;
    }
    return loop_poll_add(opaque, fd, ev);
}

static int user_get_revents(int index, void *opaque)
{
    short re = loop_poll_revents(opaque, index);
    int ev = 0;
    for (size_t i = 0; i < ARRAY_SIZE(poll_bits); i++) {
        ev |= re & poll_bits[i].host ? poll_bits[i].slirp : 0;
    }
    return ev;
}

static void user_prepare(void *opaque, Loop *l, int64_t *timeout_ns)
{
    UserNet *u = opaque;
    uint32_t ms = *timeout_ns < 0 || *timeout_ns / 1000000 >= UINT32_MAX
                  ? UINT32_MAX : (uint32_t)(*timeout_ns / 1000000);
    uint32_t wanted = ms;
    lib.slirp_pollfds_fill(u->slirp, &wanted, user_add_poll, l);
    if (wanted < ms) {
        *timeout_ns = (int64_t)wanted * 1000000;
    }
    int64_t now = nondet_host_ns();
    for (const SlirpTimer *t = u->timers; t; t = t->next) {
        int64_t left = t->deadline_ms * 1000000 - now;
        if (t->deadline_ms >= 0 && (*timeout_ns < 0 || left < *timeout_ns)) {
            *timeout_ns = MAX(left, (int64_t)0);
        }
    }
    u->polling = true;
}

static void user_run_timers(UserNet *u)
{
    int64_t now_ms = nondet_host_ns() / 1000000;
    for (SlirpTimer *t = u->timers, *next; t; t = next) {
        next = t->next;
        if (t->deadline_ms >= 0 && t->deadline_ms <= now_ms) {
            t->deadline_ms = -1;
            t->fn(t->opaque);
        }
    }
}

static void user_dispatch(void *opaque, Loop *l)
{
    UserNet *u = opaque;
    if (u->polling) {   /* not if we came between prepare and dispatch */
        u->polling = false;
        lib.slirp_pollfds_poll(u->slirp, 0, user_get_revents, l);
    }
    user_run_timers(u);
}

/* --- NetOps --- */

static void user_send(NetBackend *n, const uint8_t *frame, size_t len)
{
    UserNet *u = (UserNet *)n;
    lib.slirp_input(u->slirp, frame, len);
    user_wake(u);   /* new sockets to watch, windows that opened */
}

static void user_close(NetBackend *n)
{
    UserNet *u = (UserNet *)n;
    if (u->n.machine && u->n.machine->loop) {
        loop_del_poller(u->n.machine->loop, &u->poller);
    }
    while (u->forwards) {
        UserForward *f = u->forwards;
        u->forwards = f->next;
        if (f->chr) {
            chardev_detach(f->chr, f);
        }
        free(f);
    }
    if (u->slirp) {
        lib.slirp_cleanup(u->slirp);
    }
    while (u->timers) {
        SlirpTimer *t = u->timers;
        u->timers = t->next;
        free(t);
    }
    for (unsigned i = 0; i < u->nsearch; i++) {
        free(u->search[i]);
    }
}

static const NetOps user_ops = { .send = user_send, .close = user_close };

/* --- forwards --- */

/* Cuts "WORD<sep>" off *text in place; NULL if the separator is missing. */
static char *cut(char **text, char sep)
{
    char *start = *text, *end = strchr(start, sep);
    if (!end) {
        return NULL;
    }
    *end = 0;
    *text = end + 1;
    return start;
}

static bool parse_port(const char *text, int *port)
{
    uint64_t v;
    if (!text || !parse_u64(text, &v) || v > 65535) {
        return false;
    }
    *port = (int)v;
    return true;
}

static bool add_hostfwd(UserNet *u, const char *text, Error *err)
{
    char *copy = xstrdup(text), *p = copy;
    struct in_addr haddr = { htonl(INADDR_ANY) }, gaddr = { 0 };
    int hport = 0, gport = 0;
    char *proto = cut(&p, ':'), *host = cut(&p, ':'), *hp = cut(&p, '-'), *guest = cut(&p, ':');
    bool udp = proto && !strcmp(proto, "udp");
    bool ok = guest && (udp || !*proto || !strcmp(proto, "tcp")) &&
              (!*host || inet_aton(host, &haddr)) && (!*guest || inet_aton(guest, &gaddr)) &&
              parse_port(hp, &hport) && parse_port(p, &gport) && gport;
    free(copy);
    if (!ok) {
        return error_set(err, "hostfwd: '%s' is not accepted: expected "
                         "tcp|udp:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT", text);
    }
    if (lib.slirp_add_hostfwd(u->slirp, udp, haddr, hport, gaddr, gport) < 0) {
        return error_set(err, "hostfwd: cannot listen for '%s' (is the port in use?)", text);
    }
    return true;
}

static size_t forward_can_receive(void *opaque)
{
    UserForward *f = opaque;
    return lib.slirp_socket_can_recv(f->u->slirp, f->addr, f->port);
}

static void forward_receive(void *opaque, const uint8_t *buf, size_t n)
{
    UserForward *f = opaque;
    lib.slirp_socket_recv(f->u->slirp, f->addr, f->port, buf, n);
}

static ssize_t forward_write(const void *buf, size_t n, void *opaque)
{
    UserForward *f = opaque;
    chardev_accept_input(f->chr);
    return chardev_write(f->chr, buf, n);
}

static bool forward_to_chardev(UserNet *u, struct in_addr addr, int port, const char *text,
                               Error *err)
{
    UserForward *f = NEW(UserForward);
    char id[64];
    snprintf(id, sizeof(id), "guestfwd-%d", port);
    *f = (UserForward){ .u = u, .addr = addr, .port = port, .next = u->forwards };
    u->forwards = f;
    f->chr = chardev_open(u->n.machine, text, id, err);
    const CharClient client = {
        .can_receive = forward_can_receive, .receive = forward_receive, .opaque = f,
    };
    if (!f->chr || !chardev_attach(f->chr, &client, err)) {
        f->chr = NULL;
        return false;
    }
    return lib.slirp_add_guestfwd(u->slirp, forward_write, f, &f->addr, port) >= 0 ||
           error_set(err, "guestfwd: the address is not in the guest's network, or taken");
}

static bool add_guestfwd(UserNet *u, const char *text, Error *err)
{
    char *copy = xstrdup(text), *p = copy;
    struct in_addr addr = { 0 };
    int port = 0;
    char *proto = cut(&p, ':'), *host = cut(&p, ':'), *gp = cut(&p, '-');
    bool ok = gp && (!*proto || !strcmp(proto, "tcp")) && inet_aton(host, &addr) &&
              parse_port(gp, &port) && port && *p;
    if (!ok) {
        error_set(err, "guestfwd: '%s' is not accepted: expected tcp:ADDR:PORT-cmd:COMMAND "
                  "or tcp:ADDR:PORT-CHARDEV", text);
    } else if (!strncmp(p, "cmd:", 4)) {
        ok = lib.slirp_add_exec(u->slirp, p + 4, &addr, port) >= 0 ||
             error_set(err, "guestfwd: '%s': the address is not in the guest's network, or "
                       "taken", text);
    } else {
        ok = forward_to_chardev(u, addr, port, p, err);
    }
    free(copy);
    return ok;
}

/* Calls fn for each value of `key` in "k=v,k=v". */
static bool each_value(const char *text, const char *key,
                       bool (*fn)(UserNet *u, const char *value, Error *err), UserNet *u,
                       Error *err)
{
    size_t klen = strlen(key);
    while (text && *text) {
        char *item = xalloc(strlen(text) + 1), *d = item;
        for (; *text && (*text != ',' || text[1] == ','); text++) {
            *d++ = *text;
            text += *text == ',';
        }
        text += *text == ',';
        bool ok = strncmp(item, key, klen) || item[klen] != '=' || fn(u, item + klen + 1, err);
        free(item);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* --- opening --- */

static bool parse_net(const char *text, struct in_addr *net, struct in_addr *mask, Error *err)
{
    char *copy = xstrdup(text ? text : "10.0.2.0/24"), *slash = strchr(copy, '/');
    uint64_t len = 24;
    struct in_addr full = { 0 };
    bool ok = true;
    if (slash) {
        *slash = 0;
        if (strchr(slash + 1, '.')) {
            ok = inet_aton(slash + 1, &full);
        } else {
            ok = parse_u64(slash + 1, &len) && len >= 4 && len <= 30;
        }
    }
    ok = ok && inet_aton(copy, net);
    free(copy);
    if (!ok) {
        return error_set(err, "net: '%s' is not accepted: expected ADDRESS/BITS such as "
                         "10.0.2.0/24", text);
    }
    *mask = full.s_addr ? full : (struct in_addr){ htonl(~0u << (32 - len)) };
    net->s_addr &= mask->s_addr;
    return true;
}

static bool parse_in_net(const char *key, const char *text, const SlirpConfig *c, unsigned n,
                         struct in_addr *out, Error *err)
{
    out->s_addr = htonl(ntohl(c->vnetwork.s_addr) | n);
    if (text && (!inet_aton(text, out) ||
                 (out->s_addr & c->vnetmask.s_addr) != c->vnetwork.s_addr)) {
        return error_set(err, "%s: '%s' is not accepted: expected an address in the guest's "
                         "network", key, text);
    }
    return true;
}

static bool parse_in6(const char *key, const char *text, const char *def, struct in6_addr *out,
                      Error *err)
{
    return inet_pton(AF_INET6, text ? text : def, out) == 1 ||
           error_set(err, "%s: '%s' is not accepted: expected an IPv6 address", key, text);
}

static bool fill_config(const UserOpts *o, SlirpConfig *c, Error *err)
{
    if (!o->ipv4 && !o->ipv6) {
        return error_set(err, "ipv4=off and ipv6=off together leave no network");
    }
    c->version = 3;
    c->restricted = o->restrict_;
    c->in_enabled = o->ipv4;
    c->in6_enabled = o->ipv6;
    c->vprefix_len = 64;
    c->vhostname = o->hostname;
    c->vdomainname = o->domainname;
    c->tftp_path = o->tftp;
    c->tftp_server_name = o->tftp_name;
    c->bootfile = o->bootfile;
    if (!parse_net(o->net, &c->vnetwork, &c->vnetmask, err) ||
        !parse_in_net("host", o->host, c, 2, &c->vhost, err) ||
        !parse_in_net("dns", o->dns, c, 3, &c->vnameserver, err) ||
        !parse_in_net("dhcpstart", o->dhcpstart, c, 15, &c->vdhcp_start, err)) {
        return false;
    }
    if (c->vhost.s_addr == c->vnameserver.s_addr) {
        return error_set(err, "dns: the same address as host is not accepted");
    }
    char *host6 = xasprintf("%s2", o->ipv6_net ? o->ipv6_net : "fec0::");
    char *dns6 = xasprintf("%s3", o->ipv6_net ? o->ipv6_net : "fec0::");
    bool ok = parse_in6("ipv6-prefix", o->ipv6_net, "fec0::", &c->vprefix_addr6, err) &&
              parse_in6("ipv6-host", o->ipv6_host, host6, &c->vhost6, err) &&
              parse_in6("ipv6-dns", o->ipv6_dns, dns6, &c->vnameserver6, err);
    free(host6);
    free(dns6);
    return ok;
}

static bool add_search(UserNet *u, const char *value, Error *err)
{
    if (!*value || u->nsearch == SEARCH_MAX) {
        return error_set(err, "dnssearch: expected 1 to %u domains", SEARCH_MAX);
    }
    u->search[u->nsearch++] = xstrdup(value);
    return true;
}

static bool user_start(UserNet *u, const UserOpts *o, const char *text, Error *err)
{
    SlirpConfig c = { 0 };
    if (!lazylib_load(&lib_file, err) || !fill_config(o, &c, err) ||
        !each_value(text, "dnssearch", add_search, u, err)) {
        return false;
    }
    c.vdnssearch = u->nsearch ? (const char **)u->search : NULL;
    u->slirp = lib.slirp_new(&c, &user_cb, u);
    if (!u->slirp) {
        return error_set(err, "libslirp refused the configuration");
    }
    if (u->n.machine && u->n.machine->loop) {
        u->poller = (LoopPoller){ user_prepare, user_dispatch, u, NULL };
        loop_add_poller(u->n.machine->loop, &u->poller);
    }
    return each_value(text, "hostfwd", add_hostfwd, u, err) &&
           each_value(text, "guestfwd", add_guestfwd, u, err);
}

NetBackend *net_user_open(struct Machine *m, const char *text, Error *err)
{
    static const char *const skip[] = { "type", "hostfwd", "guestfwd", "dnssearch", NULL };
    UserOpts o = { 0 };
    UserNet *u = NEW(UserNet);
    u->n.ops = &user_ops;
    u->n.machine = m;
    property_defaults(user_props, &o);
    bool ok = property_parse(user_props, &o, text, skip, err) && user_start(u, &o, text, err);
    property_free(user_props, &o);
    if (!ok) {
        user_close(&u->n);
        free(u);
        return NULL;
    }
    return &u->n;
}
