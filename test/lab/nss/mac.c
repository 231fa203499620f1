/*
 * getaddrinfo as on a Mac: has glibc ask mDNSResponder (facades/mDNSResponder.ts) for every name that is not in
 * /etc/hosts. A question is a line `FAMILY NAME`; the answer is addresses, one a line, and the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char responder[] = "/var/run/mDNSResponder";

enum { max_addresses = 256, max_text = max_addresses * INET6_ADDRSTRLEN };

struct address {
  int family;
  unsigned char bytes[16];
};

static size_t size_of(int family) { return family == AF_INET ? 4 : 16; }

/* Everything that is sent back, as text; -1 when nobody is there to ask. */
static ssize_t ask(const char *name, char family, char *text, size_t room) {
  *text = 0;
  char line[300];
  int length = snprintf(line, sizeof line, "%c %s\n", family, name);
  if (length < 0 || (size_t)length >= sizeof line || strpbrk(name, " \t\r\n")) return 0;
  struct sockaddr_un where = { .sun_family = AF_UNIX };
  memcpy(where.sun_path, responder, sizeof responder);
  int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s < 0) return -1;
  ssize_t got = -1;
  if (connect(s, (struct sockaddr *)&where, sizeof where) == 0 && send(s, line, length, MSG_NOSIGNAL) == length) {
    size_t heard = 0;
    while ((got = read(s, text + heard, room - 1 - heard)) != 0) {
      if (got > 0) heard += got;
      else if (errno != EINTR) break;
    }
    text[heard] = 0;
    if (got == 0) got = heard;
  }
  close(s);
  return got;
}

/* The addresses of a name; negative when nobody is there to ask. */
static int look_up(const char *name, char family, struct address *found) {
  char text[max_text];
  if (ask(name, family, text, sizeof text) < 0) return -1;
  int count = 0;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line && count < max_addresses; line = strtok_r(NULL, "\n", &rest)) {
    struct address *each = &found[count];
    each->family = strchr(line, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(each->family, line, each->bytes) == 1) count++;
  }
  return count;
}

static enum nss_status fail(int count, int *error, int *herror) {
  *error = count < 0 ? EAGAIN : ENOENT;
  *herror = count < 0 ? TRY_AGAIN : HOST_NOT_FOUND;
  return count < 0 ? NSS_STATUS_TRYAGAIN : NSS_STATUS_NOTFOUND;
}

static enum nss_status too_small(int *error, int *herror) {
  *error = ERANGE;
  *herror = NETDB_INTERNAL;
  return NSS_STATUS_TRYAGAIN;
}

/* Room for so many bytes at the buffer's beginning, aligned for anything; null when there is none. */
static void *take(char **buffer, size_t *left, size_t size) {
  size_t skip = -(size_t)*buffer & (_Alignof(max_align_t) - 1);
  if (*left < skip + size) return NULL;
  void *place = *buffer + skip;
  *buffer += skip + size;
  *left -= skip + size;
  return place;
}

/* For getaddrinfo of both families at once. */
enum nss_status _nss_mac_gethostbyname4_r(const char *name, struct gaih_addrtuple **list, char *buffer, size_t left,
                                          int *error, int *herror, int32_t *ttl) {
  struct address found[max_addresses];
  int count = look_up(name, '0', found);
  if (count <= 0) return fail(count, error, herror);
  char *copy = take(&buffer, &left, strlen(name) + 1);
  struct gaih_addrtuple *all = take(&buffer, &left, count * sizeof *all);
  if (!copy || !all) return too_small(error, herror);
  strcpy(copy, name);
  for (int i = 0; i < count; i++) {
    all[i] = (struct gaih_addrtuple){ .name = copy, .family = found[i].family };
    all[i].next = i + 1 < count ? &all[i + 1] : NULL;
    memcpy(all[i].addr, found[i].bytes, size_of(found[i].family));
  }
  /* The first one may be the caller's own. */
  if (*list) **list = *all;
  else *list = all;
  if (ttl) *ttl = 0;
  return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_mac_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer,
                                          size_t left, int *error, int *herror) {
  if (family != AF_INET && family != AF_INET6) return fail(0, error, herror);
  struct address found[max_addresses];
  int count = look_up(name, family == AF_INET ? '4' : '6', found);
  if (count <= 0) return fail(count, error, herror);
  char *copy = take(&buffer, &left, strlen(name) + 1);
  char **aliases = take(&buffer, &left, sizeof *aliases);
  char **addresses = take(&buffer, &left, (count + 1) * sizeof *addresses);
  if (!copy || !aliases || !addresses) return too_small(error, herror);
  strcpy(copy, name);
  *aliases = NULL;
  for (int i = 0; i < count; i++) {
    addresses[i] = take(&buffer, &left, size_of(family));
    if (!addresses[i]) return too_small(error, herror);
    memcpy(addresses[i], found[i].bytes, size_of(family));
  }
  addresses[count] = NULL;
  *host = (struct hostent){ .h_name = copy,
                            .h_aliases = aliases,
                            .h_addrtype = family,
                            .h_length = (int)size_of(family),
                            .h_addr_list = addresses };
  return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_mac_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t left, int *error,
                                         int *herror) {
  return _nss_mac_gethostbyname2_r(name, AF_INET, host, buffer, left, error, herror);
}
