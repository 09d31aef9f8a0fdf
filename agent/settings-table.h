/* The one table of settings: for the files of agent/settings.h alone. */

#pragma once

#include "agent/settings.h"
#include "base/fields.h"

/* What a source has said, before it is put into the Settings. */
typedef struct SettingsReading {
        Settings settings;
        char **components; /* NULL: nothing */
        int role;          /* of role_names; -1: nothing */
} SettingsReading;

typedef enum SettingsOrigin {
        IN_DOCUMENT = 1U << 0,
        IN_TAGS = 1U << 1,
        IN_COMMAND_LINE = 1U << 2,
        EVERYWHERE = IN_DOCUMENT | IN_TAGS | IN_COMMAND_LINE,
} SettingsOrigin;

typedef struct SettingsRow {
        const char *key;
        FieldType type;
        unsigned origins; /* of SettingsOrigin */
        size_t offset;    /* in SettingsReading */
        const char *argument;
        const char *help;
        int64_t min, max;
        const char *const *choices;
} SettingsRow;

extern const SettingsRow settings_rows[];
extern const size_t settings_n_rows;
extern const char *const settings_source_names[]; /* by SettingSource */

/* The row of that key; NULL: there is none. */
const SettingsRow *settings_row(const char *key);
