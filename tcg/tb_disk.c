/* SPDX-License-Identifier: MIT */
/*
 * The file of kept translations (tb_disk.h).
 *
 *   header   magic, identity, where the table lies, how far the file counts; a checksum
 *   records  in the order they were made or looked for, at multiples of UNIT bytes
 *   table    open addressing by hash: a tag of the hash and the record's place
 *
 * A run that adds writes its records behind what counts, then a table of all, then the
 * header: until that last write the file is what it was. Old tables and records that were
 * replaced stay as dead bytes until the file is put in order (tb_disk_order.c); one that has
 * become too long begins anew.
 */
#define _GNU_SOURCE
#include "tcg/tb_disk_int.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "util/alloc.h"

uint64_t tb_disk_most = 512ull * MiB;
static TbDisk *mapped; /* the one in use; for tb_disk_fault */

/* Both halves of the product: as good a mix of two words as one multiplication gives. */
static ALWAYS_INLINE uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static ALWAYS_INLINE uint64_t word_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

uint64_t tb_disk_hash(uint64_t h, const void *p, size_t n)
{
    const uint64_t k = 0x9e3779b97f4a7c15ull, k2 = 0xd6e8feb86659fd93ull;
    const uint8_t *b = p;
    uint64_t a = h ^ k, c = h ^ k2, tail[2] = { 0, 0 };

    h ^= n;
    for (; n >= 32; n -= 32, b += 32) {
        a = mix(word_at(b) ^ k, word_at(b + 8) ^ a);
        c = mix(word_at(b + 16) ^ k2, word_at(b + 24) ^ c);
    }
    if (n >= 16) {
        a = mix(word_at(b) ^ k, word_at(b + 8) ^ a);
        b += 16;
        n -= 16;
    }
    memcpy(tail, b, n);
    return mix(mix(tail[0] ^ k2, tail[1] ^ a) ^ h, c ^ k);
}

/* ---- the file ---- */

static bool read_at(int fd, void *p, size_t n, uint64_t at)
{
    while (n) {
        ssize_t got = pread(fd, p, n, at);
        if (got <= 0) {
            if (got < 0 && errno == EINTR) {
                continue;
            }
            return false;
        }
        p = (char *)p + got;
        n -= got;
        at += got;
    }
    return true;
}

bool tb_disk_write_at(int fd, const void *p, size_t n, uint64_t at)
{
    while (n) {
        ssize_t put = pwrite(fd, p, n, at);
        if (put <= 0) {
            if (put < 0 && errno == EINTR) {
                continue;
            }
            return false;
        }
        p = (const char *)p + put;
        n -= put;
        at += put;
    }
    return true;
}

static bool make_dirs(const char *dir)
{
    char *parent = xstrdup(dir), *slash = strrchr(parent, '/');

    if (slash && slash != parent) {
        *slash = '\0';
        (void)mkdir(parent, 0700);
    }
    free(parent);
    return mkdir(dir, 0700) == 0 || errno == EEXIST;
}

static bool is_ours(int fd, Error *err, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return error_set(err, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
        return error_set(err, "%s is not a file of this user alone: not used", path);
    }
    return true;
}

static uint64_t head_sum(const Header *h)
{
    return tb_disk_hash(0, h, offsetof(Header, sum));
}

/* Fills the table from the file; false: the file is empty or not to be believed. */
static bool load(TbDisk *d, const uint8_t *id)
{
    Header h;

    if (!read_at(d->fd, &h, sizeof(h), 0) || memcmp(h.magic, magic, sizeof(magic)) != 0 ||
        h.sum != head_sum(&h) || memcmp(h.id, id, TB_DISK_ID) != 0 || h.bits < BITS_LEAST ||
        h.bits > BITS_MOST || h.n > (1u << h.bits) / 4 * 3 ||
        h.end > FILE_MOST + (sizeof(Slot) << BITS_MOST)) {
        return false;
    }
    size_t size = sizeof(Slot) << h.bits;
    Slot *slot = xmap(size);
    if (!read_at(d->fd, slot, size, h.table) || tb_disk_hash(0, slot, size) != h.table_sum) {
        xunmap(slot, size);
        return false;
    }
    d->head = h;
    d->slot = slot;
    d->bits = h.bits;
    d->n = h.n;
    d->stats.known = h.n;
    return true;
}

/* Files of other builds, hosts and options: the newest few may stay. */
static void sweep(const char *dir, const char *own)
{
    struct {
        char name[64];
        int64_t when;
    } kept[OTHERS_KEPT] = { 0 };
    DIR *list = opendir(dir);

    for (struct dirent *e; list && (e = readdir(list)) != NULL;) {
        struct stat st;
        char name[64];
        if (strncmp(e->d_name, "tb-", 3) != 0 || strlen(e->d_name) >= sizeof(name) ||
            strcmp(e->d_name, own) == 0 ||
            fstatat(dirfd(list), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(st.st_mode)) {
            continue;
        }
        strcpy(name, e->d_name);
        int64_t when = st.st_mtime;
        for (unsigned i = 0; i < OTHERS_KEPT; i++) { /* the newest first; the last falls out */
            if (when > kept[i].when || !kept[i].name[0]) {
                char other[64];
                int64_t then = kept[i].when;
                strcpy(other, kept[i].name);
                strcpy(kept[i].name, name);
                kept[i].when = when;
                strcpy(name, other);
                when = then;
                if (!name[0]) {
                    break;
                }
            }
        }
        if (name[0]) {
            (void)unlinkat(dirfd(list), name, 0);
        }
    }
    if (list) {
        closedir(list);
    }
}

static void start(TbDisk *d);

/* What is there (known: something is), and what this run will add: a block may be evicted and
 * wanted again. */
static void map_file(TbDisk *d, bool known)
{
    d->span = d->stats.writes ? MAX(FILE_MOST, d->head.end) : d->head.end;
    d->map = mmap(NULL, d->span, PROT_READ, MAP_SHARED, d->fd, 0);
    if (d->map == MAP_FAILED && known) { /* `ulimit -v` */
        d->span = d->head.end;
        d->map = mmap(NULL, d->span, PROT_READ, MAP_SHARED, d->fd, 0);
    }
    if (d->map == MAP_FAILED) {
        d->span = 0;
        return;
    }
    d->map_size = known ? d->head.end : 0;
    d->written = d->map_size;
    mapped = d;
}

TbDisk *tb_disk_open(const char *dir, const uint8_t id[TB_DISK_ID], Error *err)
{
    char name[48] = "tb-", *path;
    TbDisk *d;

    for (unsigned i = 0; i < TB_DISK_ID; i++) {
        snprintf(name + 3 + 2 * i, 3, "%02x", id[i]);
    }
    if (!make_dirs(dir)) {
        error_set(err, "cannot make %s: %s", dir, strerror(errno));
        return NULL;
    }
    path = xasprintf("%s/%s", dir, name);
    bool writes = true;
    int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0 && (errno == EACCES || errno == EROFS)) {
        writes = false;
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0) {
        error_set(err, "cannot open %s: %s", path, strerror(errno));
    } else if (!is_ours(fd, err, path)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        free(path);
        return NULL;
    }
    d = NEW(TbDisk);
    d->fd = fd;
    d->path = path;
    d->copy = xmap(sizeof(Record) + TB_DISK_RECORD);
    d->stats.writes = writes && flock(fd, LOCK_EX | LOCK_NB) == 0;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    memcpy(d->head.magic, magic, sizeof(magic));
    memcpy(d->head.id, id, TB_DISK_ID);
    if (load(d, id)) {
        map_file(d, true);
    } else {
        if (d->stats.writes) {
            sweep(dir, name);
        }
        d->bits = BITS_NEW;
        d->slot = xmap(sizeof(Slot) << d->bits);
        d->head.end = FIRST;
        map_file(d, false);
    }
    d->queue_from[0] = ALIGN_UP(d->head.end, UNIT);
    start(d);
    return d;
}

void tb_disk_stats(const TbDisk *d, TbDiskStats *s) { *s = d->stats; }

/* ---- finding ---- */

static unsigned home(unsigned bits, uint64_t hash) { return (uint32_t)hash >> (32 - bits); }

Slot *tb_disk_slot(Slot *table, unsigned bits, uint64_t hash)
{
    unsigned mask = (1u << bits) - 1, i = home(bits, hash), left = mask;

    while (table[i].at && table[i].tag != (uint32_t)hash && left--) {
        i = (i + 1) & mask;
    }
    return &table[i];
}

static Slot *slot_of(const TbDisk *d, uint64_t hash)
{
    return tb_disk_slot(d->slot, d->bits, hash);
}

static uint64_t record_sum(const Record *r, uint32_t n)
{
    return tb_disk_hash(0, &r->hash, sizeof(*r) - sizeof(r->sum) + n);
}

/* A record is read. */
static void touch(TbDisk *d)
{
    if (unlikely(atomic_fetch_add_explicit(&d->reads, 1, memory_order_relaxed) == 0)) {
        pthread_mutex_lock(&d->lock);
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
    }
}

void tb_disk_soon(const TbDisk *d, uint64_t hash)
{
    if (!d->in_order && d->written) { /* else the table is not looked at, most likely */
        __builtin_prefetch(&d->slot[home(d->bits, hash)]);
    }
}

static void prefetch_record(const TbDisk *d, uint64_t at)
{
    if (at + PREFETCHED <= d->written) {
        for (unsigned i = 0; i < PREFETCHED; i += 64) {
            __builtin_prefetch(d->map + at + i);
        }
    }
}

void tb_disk_next(const TbDisk *d, uint64_t hash)
{
    if (!d->in_order) {
        const Slot *s = slot_of(d, hash);
        if (s->at) {
            prefetch_record(d, (uint64_t)s->at * UNIT);
        }
    }
}

static void note_order(TbDisk *d, uint64_t at)
{
    if (!d->order) {
        d->order = xmap(ORDER_MOST * sizeof(d->order[0]));
    }
    if (d->norder < ORDER_MOST) {
        d->order[d->norder++] = at / UNIT;
    }
}

/* Where the record is, the next one in the file if it is that; 0: not there. */
static uint64_t place_of(TbDisk *d, uint64_t hash)
{
    uint64_t next, written = atomic_load_explicit(&d->written, memory_order_acquire);

    if (!written) {
        return 0;
    }
    if (d->next && d->next + sizeof(Record) <= written) {
        memcpy(&next, d->map + d->next + offsetof(Record, hash), sizeof(next));
        if (next == hash) {
            d->in_order = true;
            return d->next;
        }
    }
    const Slot *s = slot_of(d, hash);
    uint64_t at = (uint64_t)s->at * UNIT;
    d->in_order = false;
    if (s->tag != (uint32_t)hash || at + sizeof(Record) > written) {
        return 0; /* or not written yet */
    }
    d->stats.jumps++;
    return at;
}

/* The record is copied first: what is checked is what is used, though the file is cut off or
 * written to at this moment. */
const void *tb_disk_find(TbDisk *d, uint64_t hash, uint32_t *n)
{
    uint64_t at = place_of(d, hash);
    Record *r = d->copy;

    if (!at) {
        return NULL;
    }
    touch(d);
    memcpy(r, d->map + at, sizeof(*r));
    if (r->n > TB_DISK_RECORD || at + sizeof(*r) + r->n > d->written || r->hash != hash) {
        return NULL;
    }
    d->next = at + ALIGN_UP(sizeof(*r) + r->n, UNIT);
    prefetch_record(d, d->next);
    memcpy(r + 1, d->map + at + sizeof(*r), r->n);
    if (r->sum != record_sum(r, r->n)) {
        return NULL;
    }
    if (d->stats.writes) {
        note_order(d, at);
    }
    d->stats.found++;
    *n = r->n;
    return r + 1;
}

bool tb_disk_fault(const void *addr)
{
    const TbDisk *d = mapped;
    uintptr_t at = (uintptr_t)addr & ~(uintptr_t)4095;

    return d && (const uint8_t *)addr - d->map < (ptrdiff_t)d->span &&
           (const uint8_t *)addr >= d->map &&
           mmap((void *)at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
               MAP_FAILED;
}

/* ---- adding ---- */

/* The mapping's pages count as this process's memory. They are let go when a program has
 * started: not sooner (16 MiB at a time took a boot with python 50 ms), not never. */
static void wait_quiet(TbDisk *d)
{
    uint32_t before = atomic_load(&d->reads);
    struct timespec until;

    if (!before) {
        pthread_cond_wait(&d->changed, &d->lock);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += QUIET_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT &&
        atomic_load(&d->reads) == before) {
        atomic_store(&d->reads, 0);
        (void)madvise((void *)d->map, d->span, MADV_DONTNEED);
    }
}

/* Checksums of the records in n bytes. */
static void seal(uint8_t *queue, uint32_t n)
{
    for (uint32_t at = 0; at < n;) {
        Record *r = (Record *)(queue + at);
        r->sum = record_sum(r, r->n);
        at += ALIGN_UP(sizeof(*r) + r->n, UNIT);
    }
}

static void *helper(void *arg)
{
    TbDisk *d = arg;

    pthread_mutex_lock(&d->lock);
    for (;;) {
        while (!d->busy && !d->stop) {
            wait_quiet(d);
        }
        if (!d->busy) {
            break;
        }
        unsigned q = !d->cur;
        uint64_t from = d->queue_from[q];
        uint32_t n = d->busy;
        pthread_mutex_unlock(&d->lock);
        seal(d->queue[q], n);
        bool good = tb_disk_write_at(d->fd, d->queue[q], n, from);
        pthread_mutex_lock(&d->lock);
        d->write_failed |= !good;
        if (from + n <= d->span && !d->write_failed) {
            atomic_store_explicit(&d->written, from + n, memory_order_release);
        }
        d->busy = 0;
        pthread_cond_broadcast(&d->changed);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* Gives the full queue to the thread, when that has written the other one. */
static void hand_over(TbDisk *d)
{
    pthread_mutex_lock(&d->lock);
    while (d->busy) {
        pthread_cond_wait(&d->changed, &d->lock);
    }
    d->failed |= d->write_failed;
    d->busy = d->queued;
    d->queue_from[!d->cur] = d->queue_from[d->cur] + d->queued;
    d->cur = !d->cur;
    d->queued = 0;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

/* Signals are for other threads. */
static void start(TbDisk *d)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    d->thread_started = pthread_create(&d->thread, NULL, helper, d) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    d->failed = !d->thread_started;
}

static void grow(TbDisk *d)
{
    Slot *old = d->slot;
    unsigned n = 1u << d->bits;

    d->bits++;
    d->slot = xmap(sizeof(Slot) << d->bits);
    for (unsigned i = 0; i < n; i++) {
        if (old[i].at) {
            *slot_of(d, old[i].tag) = old[i];
        }
    }
    xunmap(old, sizeof(Slot) * n);
}

/* Records that were replaced must not be found as the one behind another. That one is found is
 * no harm but a wrong guess more (target-x86/saved.h). */
static void bury(const TbDisk *d)
{
    static const uint64_t nobody;

    for (uint32_t i = 0; i < d->nreplaced; i++) {
        uint64_t at = (uint64_t)d->replaced[i] * UNIT + offsetof(Record, hash);
        if (!tb_disk_write_at(d->fd, &nobody, sizeof(nobody), at)) {
            return;
        }
    }
}

static void note_replaced(TbDisk *d, uint32_t unit)
{
    if (!d->replaced) {
        d->replaced = xmap(ORDER_MOST * sizeof(d->replaced[0]));
    }
    if (d->nreplaced < ORDER_MOST && (uint64_t)unit * UNIT < d->map_size) {
        d->replaced[d->nreplaced++] = unit;
    }
}

bool tb_disk_has(TbDisk *d, uint64_t hash, bool again)
{
    const Slot *s = slot_of(d, hash);

    /* what is made anew in each run, now so and now so, need not be written each time */
    return s->at && (s->turn == TURNS || ((uint64_t)s->at * UNIT >= d->map_size && !again));
}

void tb_disk_add(TbDisk *d, uint64_t hash, const TbDiskPart *parts, unsigned nparts, bool again)
{
    Record r = { .hash = hash };

    if (tb_disk_has(d, hash, again)) {
        return;
    }
    Slot *s = slot_of(d, hash);
    for (unsigned i = 0; i < nparts; i++) {
        r.n += parts[i].n;
    }
    uint32_t size = ALIGN_UP(sizeof(r) + r.n, UNIT);
    uint64_t at = d->queue_from[d->cur] + d->queued;
    if (!d->stats.writes || d->failed || r.n > TB_DISK_RECORD || at + size > FILE_MOST ||
        (d->n >= (1u << d->bits) / 4 * 3 && d->bits == BITS_MOST)) {
        return;
    }
    if (!d->queue[0]) {
        d->queue[0] = NEW_ARRAY(uint8_t, QUEUE);
        d->queue[1] = NEW_ARRAY(uint8_t, QUEUE);
    }
    if (size > QUEUE - d->queued) {
        hand_over(d);
    }
    uint8_t *p = d->queue[d->cur] + d->queued, *to = p + sizeof(r);
    for (unsigned i = 0; i < nparts; i++) {
        memcpy(to, parts[i].p, parts[i].n);
        to += parts[i].n;
    }
    memset(to, 0, p + size - to);
    memcpy(p, &r, sizeof(r));
    d->queued += size;
    d->stats.added++;
    if (d->n >= (1u << d->bits) / 4 * 3) {
        grow(d);
        s = slot_of(d, hash);
    }
    if (s->at) {
        note_replaced(d, s->at);
    }
    d->n += !s->at;
    *s = (Slot){ .tag = (uint32_t)hash, .at = at / UNIT, .turn = s->at ? s->turn + 1 : 0 };
}

bool tb_disk_finish(int fd, const Header *old, const Slot *table, unsigned bits, unsigned n,
                    uint64_t end)
{
    size_t size = sizeof(Slot) << bits;
    Header h = *old;

    h.table = end;
    h.end = ALIGN_UP(h.table + size, UNIT);
    h.bits = bits;
    h.n = n;
    h.table_sum = tb_disk_hash(0, table, size);
    h.sum = head_sum(&h);
    return tb_disk_write_at(fd, table, size, h.table) && tb_disk_write_at(fd, &h, sizeof(h), 0);
}

static uint64_t end_of_records(const TbDisk *d) { return d->queue_from[d->cur] + d->queued; }

/* Is the file to be written anew: in another order, or shorter? */
static bool wants_order(const TbDisk *d)
{
    bool mixed_up = d->stats.found >= FEW && d->stats.jumps > d->stats.found / JUMPS_LEFT;

    return !d->failed && !d->write_failed && (mixed_up || end_of_records(d) > FILE_FULL);
}

void tb_disk_close(TbDisk *d)
{
    if (!d) {
        return;
    }
    if (d->thread_started) {
        hand_over(d);
        pthread_mutex_lock(&d->lock);
        d->stop = true;
        pthread_cond_broadcast(&d->changed);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
        /* a table is worth its bytes if it says something new */
        bool worth = !d->failed && !d->write_failed &&
                     d->stats.added > d->stats.known / WORTH;
        if (d->stats.writes && !(wants_order(d) && tb_disk_put_in_order(d, end_of_records(d)))) {
            if (worth && tb_disk_finish(d->fd, &d->head, d->slot, d->bits, d->n, end_of_records(d))) {
                bury(d);
            } else {
                (void)!ftruncate(d->fd, d->head.end); /* it is what it was */
            }
        }
    }
    close(d->fd);
    if (mapped == d) {
        mapped = NULL;
    }
    if (d->span) {
        munmap((void *)d->map, d->span);
    }
    xunmap(d->copy, sizeof(Record) + TB_DISK_RECORD);
    if (d->order) {
        xunmap(d->order, ORDER_MOST * sizeof(d->order[0]));
    }
    if (d->replaced) {
        xunmap(d->replaced, ORDER_MOST * sizeof(d->replaced[0]));
    }
    free(d->path);
    free(d->queue[0]);
    free(d->queue[1]);
    xunmap(d->slot, sizeof(Slot) << d->bits);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->changed);
    free(d);
}
