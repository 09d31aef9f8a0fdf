/* A folder of certificates and keys: read, and judged as Flocker, Docker and OpenSSL would judge
 * it.
 *
 * Any layout will do: the set that `certs create` makes, /etc/flocker, a .docker folder. What a
 * file is is read off its content, and which key belongs to it off its name: `x.crt` and `x.key`,
 * `cert.pem` and `key.pem`, `ca.pem` and `ca-key.pem`.
 */

#pragma once

#include "certs/pair.h"

#include <sys/types.h>

#define SET_CERTIFICATES_MAX 2048U
#define SET_ENTRIES_MAX      16384U /* files and folders */
#define SET_DEPTH_MAX        8U

typedef struct SetMember {
        char *path;     /* of the certificate, below the set's folder */
        char *key_path; /* NULL: no key file */
        mode_t key_mode;
        Pair pair; /* its key NULL: no key file, or one that cannot be read (key_error says why) */
        CertificateInfo info;
        const Profile *profile; /* NULL: none of ours */
        Error key_error;        /* "": none */
        int key_failure;        /* with it: -EKEYREJECTED is a passphrase, as key_parse() has it */
} SetMember;

/* A file that by its name is a certificate's, and holds none that can be read. */
typedef struct SetDamage {
        char *path;
        Error error;
        int failure; /* what certificate_set_load() returns for it */
} SetDamage;

typedef struct CertificateSet {
        SetMember *members; /* sorted by path, as the others are */
        size_t count;
        SetDamage *damages;
        size_t n_damages;
        char **entries; /* all that lies there, a folder's path with a slash at its end */
        size_t n_entries;
} CertificateSet;

void certificate_set_done(CertificateSet *set);
DEFINE_CLEANUP_IN_PLACE(CertificateSet, certificate_set_done);

/* `path` is a folder, or a file of one certificate. A file ending .crt or .pem that holds a private
 * key alone is no member. -ENOENT: nothing there; -EBADMSG: a file that is damaged; -EFBIG: over
 * the bounds; all with the sentence. `passphrase` (NULL: none) is for encrypted keys of
 * authorities. */
int certificate_set_load(
        const char *path, const Secret *passphrase, CertificateSet *ret, Error *ret_error);

/* The same, but for what is damaged: that is kept, and may be all that there is. */
int certificate_set_survey(
        const char *path, const Secret *passphrase, CertificateSet *ret, Error *ret_error);

/* The same of a text, as a set of one without a key. */
int certificate_set_load_pem(
        const char *name, const char *pem, size_t size, CertificateSet *ret, Error *ret_error);

/* What kind of certificate this is, by subject, OU and usages; NULL: none of ours. */
const Profile *certificate_set_recognize(const CertificateInfo *info);

/* The authority in the set that issued `member`; NULL: it is not there. Its own for an authority
 * that is self-issued. A leaf that signed itself has none: no verifier may take it for an anchor.
 */
const SetMember *certificate_set_issuer(const CertificateSet *set, const SetMember *member);

/* Is a file of this name ("<uuid>.crt") a node's certificate? Its UUID (flocker/ca/_ca.py). */
bool certificate_set_read_node(const char *name, char ret_uuid[37]);

/* Calls `fault` for each thing that is wrong at `wall`, one sentence each, that names the file,
 * what is wrong and the remedy. Returns how many. */
typedef void (*SetFault)(const char *path, const char *sentence, void *userdata);
size_t certificate_set_judge(const CertificateSet *set, Usec wall, SetFault fault, void *userdata);

/* The part of it that looks at names alone: what is missing in a folder, by what else is there. A
 * set of `certs create` has its authorities, control, a user, the Docker client, and of each node
 * both pairs; /etc/flocker of an agent has both too. */
size_t certificate_set_judge_layout(const CertificateSet *set, SetFault fault, void *userdata);
