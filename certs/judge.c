/* certificate_set_judge: what Flocker, Docker and OpenSSL would say of a set. */

#include "base/text.h"
#include "certs/set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Judging {
        const CertificateSet *set;
        Usec wall;
        SetFault fault;
        void *userdata;
        size_t count;
} Judging;

static void complain(Judging *judging, const SetMember *member, const char *format, ...)
        _printf_(3, 4);
static void complain(Judging *judging, const SetMember *member, const char *format, ...)
{
        Error sentence = ERROR_INIT;
        char text[ERROR_TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        error_record(&sentence, 0, "%s", text); /* flat, and cut where a character ends */

        judging->count++;
        judging->fault(member->path, sentence.text, judging->userdata);
}

static void judge_dates(Judging *judging, const SetMember *member)
{
        const CertificateInfo *info = &member->info;
        char when[CLOCK_UTC_MAX];

        if (info->not_before > judging->wall) {
                clock_format_utc(info->not_before, when);
                complain(judging,
                        member,
                        "%s: it is not valid before %s; set this machine's clock, or make it anew",
                        member->path,
                        when);
        }
        if (info->not_after < judging->wall) {
                clock_format_utc(info->not_after, when);
                complain(judging,
                        member,
                        "%s: it expired at %s; renew it with 'certs renew' where its authority's "
                        "key is",
                        member->path,
                        when);
        }
}

static void judge_readable(Judging *judging, const SetMember *member)
{
        if (member->key_failure == 0)
                return;
        if (member->key_failure != -EKEYREJECTED)
                complain(judging,
                        member,
                        "%s; put back the key that belongs to %s, or make both anew",
                        member->key_error.text,
                        member->path);
        else if (member->info.authority)
                complain(judging,
                        member,
                        "%s; name the passphrase's file with --ca-passphrase-file",
                        member->key_error.text);
        else
                complain(judging,
                        member,
                        "%s; Flocker and Docker read plain keys alone: decrypt it with 'openssl "
                        "pkey'",
                        member->key_error.text);
}

static void judge_key(Judging *judging, const SetMember *member)
{
        _cleanup_(key_free) Key *certified = certificate_key(member->pair.certificate);
        bool flocker = member->profile && member->profile->cluster_uuid;

        judge_readable(judging, member);
        if (!certified) {
                complain(judging, member, "%s: its public key cannot be read", member->path);
                return;
        }
        if (flocker && !key_is(certified, KEY_RSA_4096))
                complain(judging,
                        member,
                        "%s: its key is %s; Flocker wants RSA 4096",
                        member->path,
                        member->info.key);
        if (member->pair.key && !key_equal(certified, member->pair.key))
                complain(judging,
                        member,
                        "%s: the key in '%s' is not this certificate's; put back the one that "
                        "belongs to it, or make both anew",
                        member->path,
                        member->key_path);
        if (member->key_path && (member->key_mode & 077))
                complain(judging,
                        member,
                        "%s: mode %04o lets others at a private key; chmod 0600 it",
                        member->key_path,
                        (unsigned)member->key_mode);
}

/* Needed by all but authorities, whose key may lie elsewhere, and is better there. */
static void judge_presence(Judging *judging, const SetMember *member)
{
        if (!member->key_path && !member->info.authority)
                complain(judging,
                        member,
                        "%s: its private key is not beside it; put it there",
                        member->path);
}

/* Who issued what cannot be told, and the damage is. */
static bool lacks_authority(const CertificateSet *set)
{
        for (size_t i = 0; i < set->n_damages; i++)
                if (text_ends(set->damages[i].path, "/cluster.crt") ||
                        text_ends(set->damages[i].path, "/ca.pem"))
                        return true;
        return false;
}

static void judge_chain(Judging *judging, const SetMember *member)
{
        const SetMember *issuer = certificate_set_issuer(judging->set, member);
        bool strict = !member->profile || !member->profile->cluster_uuid;
        Error error = ERROR_INIT;
        Usec wall = judging->wall;

        if (!issuer && member->info.self_issued) {
                complain(judging,
                        member,
                        "%s: it signed itself, and is no authority; put back the one that the "
                        "cluster's authority signed",
                        member->path);
                return;
        }
        if (!issuer && lacks_authority(judging->set))
                return;
        if (!issuer) {
                complain(judging,
                        member,
                        "%s: no authority of this set issued it (it says '%s'); is it of another "
                        "cluster?",
                        member->path,
                        member->info.issuer);
                return;
        }

        /* Dates have been judged, with better words: here within both validities. */
        if (wall < member->info.not_before)
                wall = member->info.not_before;
        if (wall > member->info.not_after)
                wall = member->info.not_after;
        if (issuer == member &&
                certificate_check_issued(
                        member->pair.certificate, member->pair.certificate, &error) < 0)
                complain(judging,
                        member,
                        "%s: it names itself as its authority, and %s; put back the true one",
                        member->path,
                        error.text);
        if (certificate_verify(
                    member->pair.certificate, issuer->pair.certificate, strict, wall, &error) < 0 &&
                issuer->info.not_after >= wall && issuer->info.not_before <= wall)
                complain(judging,
                        member,
                        "%s: OpenSSL refuses it with '%s': %s; make it anew",
                        member->path,
                        issuer->path,
                        error.text);
}

static void judge_cluster(Judging *judging, const SetMember *member)
{
        const SetMember *issuer = certificate_set_issuer(judging->set, member);

        if (issuer && member->profile && member->profile->cluster_uuid &&
                !text_equal(issuer->info.organizational_unit, member->info.organizational_unit))
                complain(judging,
                        member,
                        "%s: its cluster is %s, its authority's %s; make it anew",
                        member->path,
                        member->info.organizational_unit,
                        issuer->info.organizational_unit);
}

/* The authority of the member's kind that the set is about: one whose key is at hand, else the
 * first. */
static const SetMember *find_authority(const CertificateSet *set, const SetMember *member)
{
        const SetMember *found = NULL;

        for (size_t i = 0; i < set->count; i++)
                if (set->members[i].profile == member->profile &&
                        (!found || (!found->pair.key && set->members[i].pair.key)))
                        found = &set->members[i];
        return found ? found : member;
}

/* A folder of another cluster's would be whole in itself, and nobody here would speak with it. */
static void judge_authority(Judging *judging, const SetMember *member)
{
        _cleanup_(key_free) Key *ours = NULL, *its = NULL;
        const SetMember *authority;

        if (!member->profile || !member->profile->authority)
                return;
        authority = find_authority(judging->set, member);
        ours = certificate_key(authority->pair.certificate);
        its = certificate_key(member->pair.certificate);
        if (!ours || !its || key_equal(ours, its))
                return;
        complain(judging,
                member,
                "%s: it is another authority than %s; a cluster has one: put that one here, and "
                "what "
                "it certified",
                member->path,
                authority->path);
}

/* Files whose names promise what is in them: flocker-ca's, those that Flocker's services read, and
 * Docker's. */
static const struct {
        const char *name;
        ProfileId profile;
} places[] = {
        {"cluster.crt", PROFILE_FLOCKER_CLUSTER},
        {"control-service.crt", PROFILE_FLOCKER_CONTROL},
        {"node.crt", PROFILE_FLOCKER_NODE},
        {"plugin.crt", PROFILE_FLOCKER_USER},
        {"docker/control/cert.pem", PROFILE_DOCKER_NODE},
        {"docker/client/cert.pem", PROFILE_DOCKER_CLIENT},
        {"ca.pem", PROFILE_DOCKER_CA},
};

static bool is_place(const char *path, const char *name)
{
        size_t length = strlen(path), end = strlen(name);

        return text_ends(path, name) && (length == end || path[length - end - 1] == '/');
}

static void judge_place(Judging *judging, const SetMember *member)
{
        const char *slash = strrchr(member->path, '/');
        const Profile *expected = NULL;
        char uuid[37] = "";

        for (size_t i = 0; i < ELEMENTS(places) && !expected; i++)
                if (is_place(member->path, places[i].name))
                        expected = &profiles[places[i].profile];
        if (certificate_set_read_node(slash ? slash + 1 : member->path, uuid))
                expected = &profiles[PROFILE_FLOCKER_NODE];
        if (!expected || !member->profile)
                return; /* judge_purpose() speaks of the latter */

        if (member->profile != expected)
                complain(judging,
                        member,
                        "%s: it is a certificate of kind %s ('%s') in the place of one of kind %s; "
                        "put the right one there, with its key",
                        member->path,
                        member->profile->name,
                        member->info.subject,
                        expected->name);
        else if (uuid[0] && !text_ends(member->info.common_name, uuid))
                complain(judging,
                        member,
                        "%s: it is of another node ('%s'); put the right one there, with its key",
                        member->path,
                        member->info.subject);
}

static bool has_name(const CertificateInfo *info, const char *name)
{
        for (size_t i = 0; info->names[i]; i++)
                if (text_equal(info->names[i], name))
                        return true;
        return false;
}

/* Who presents it to whom, and what they look at. */
static void judge_purpose(Judging *judging, const SetMember *member)
{
        const CertificateInfo *info = &member->info;
        const Profile *profile = member->profile;

        if (!profile) {
                complain(judging,
                        member,
                        "%s: '%s' is no certificate of a Flocker or Docker cluster (CN "
                        "control-service, node-<uuid> or user-<name> with a cluster's UUID as OU; "
                        "or an extended key usage)",
                        member->path,
                        info->subject);
                return;
        }
        if (profile == &profiles[PROFILE_FLOCKER_CONTROL] && !has_name(info, "DNS:control-service"))
                complain(judging,
                        member,
                        "%s: its alternative names lack DNS:control-service, which every Flocker "
                        "client looks for; make it anew",
                        member->path);
        if (profile == &profiles[PROFILE_FLOCKER_USER] && info->server_auth)
                complain(judging,
                        member,
                        "%s: a user's certificate could serve as a server's; its extended key "
                        "usage must be clientAuth alone",
                        member->path);
        if (profile->server && !info->server_auth)
                complain(judging,
                        member,
                        "%s: its extended key usage lacks serverAuth",
                        member->path);
        if (profile->client && !info->client_auth)
                complain(judging,
                        member,
                        "%s: its extended key usage lacks clientAuth",
                        member->path);
        if (profile == &profiles[PROFILE_DOCKER_NODE] && !info->names[0])
                complain(judging,
                        member,
                        "%s: it has no alternative names; Docker takes no name from the CN",
                        member->path);
}

/* Go: what an authority with an extended key usage certifies may not go beyond it. */
static void judge_nesting(Judging *judging, const SetMember *member)
{
        const SetMember *issuer = certificate_set_issuer(judging->set, member);

        if (!issuer || issuer == member || !issuer->info.has_usage || !member->info.has_usage)
                return;
        if ((member->info.server_auth && !issuer->info.server_auth) ||
                (member->info.client_auth && !issuer->info.client_auth))
                complain(judging,
                        member,
                        "%s: its usages (%s) go beyond those of its authority (%s), which Docker "
                        "refuses",
                        member->path,
                        member->info.usages,
                        issuer->info.usages);
}

static void judge_damage(Judging *judging, const SetDamage *damage)
{
        Error sentence = damage->error;

        (void)error_append(&sentence,
                damage->failure,
                "; put the right one there, with its key, or make it anew");
        judging->count++;
        judging->fault(damage->path, sentence.text, judging->userdata);
}

size_t certificate_set_judge(const CertificateSet *set, Usec wall, SetFault fault, void *userdata)
{
        static void (*const judges[])(Judging * judging, const SetMember *member) = {
                judge_dates,
                judge_presence,
                judge_key,
                judge_chain,
                judge_cluster,
                judge_authority,
                judge_purpose,
                judge_place,
                judge_nesting,
        };
        Judging judging = {set, wall, fault, userdata, 0};

        for (size_t i = 0; i < set->n_damages; i++)
                judge_damage(&judging, &set->damages[i]);
        for (size_t i = 0; i < set->count; i++)
                for (size_t j = 0; j < ELEMENTS(judges); j++)
                        judges[j](&judging, &set->members[i]);
        return judging.count + certificate_set_judge_layout(set, fault, userdata);
}
