/* Where the settings of a run come from. First found wins: the command line, the configuration
 * document, the instance's tags ("flocker:<key>", where the metadata service shows tags), the
 * default. One table has every setting, with its spelling in each of these places, its type, its
 * bounds and its help.
 */

#pragma once

#include "aws/metadata.h"
#include "base/option.h"
#include "roles/settings.h"

#define SETTINGS_MAX 24U

/* Settings with the source of each, by the table's order. */
typedef struct SettingsBook {
        Settings settings;
        SettingSource sources[SETTINGS_MAX];
        int document_role; /* RoleKind of the document's first line; ROLE_NONE: it names none */
} SettingsBook;

void settings_book_done(SettingsBook *book);
DEFINE_CLEANUP_IN_PLACE(SettingsBook, settings_book_done);

/* What the command line says of settings: a text for each, NULL where it is silent. Place it in the
 * struct that option_parse() fills. */
typedef struct SettingsTexts {
        const char *texts[SETTINGS_MAX];
} SettingsTexts;

/* The options "--role=ROLE", "--store=URL", …: one for each setting that a command line may give
 * (secrets are never given there). Fills `ret` (room for SETTINGS_MAX), whose offsets count from
 * `offset`, where the SettingsTexts lies. Returns how many. */
size_t settings_options(size_t offset, Option *ret);

/* Everything at its default. -ENOMEM. */
int settings_begin(SettingsBook *ret, Error *ret_error);

/* Each in its turn, from the weakest source to the strongest. Sentences name the source, and in a
 * document line and column. -EBADMSG, -EDOM, -EINVAL, -ENOMEM.
 *
 * The document's role is that of its first line, or its key `role`; two that differ are refused. */
int settings_read_tags(SettingsBook *book, Metadata *metadata, Usec deadline, Error *ret_error);
int settings_read_document(
        SettingsBook *book, const char *name, const char *text, size_t size, Error *ret_error);
int settings_read_texts(SettingsBook *book, const SettingsTexts *texts, Error *ret_error);

/* `own` is the role of the instance's own document (ROLE_NONE: unknown). A --role that contradicts
 * it is refused, naming both. -EINVAL: the command line is what is wrong. */
int settings_check_role(const SettingsBook *book, RoleKind own, bool force, Error *ret_error);

/* What no single setting can tell: is it complete, and does it fit together? -EDOM with what is
 * missing or contradicts what, and where each comes from. */
int settings_check(const SettingsBook *book, Error *ret_error);

/* "store: s3://bucket/prefix    # document" for each, secrets as "[redacted]", into `ret`. */
int settings_dump(const SettingsBook *book, Buffer *ret, Error *ret_error);
