/* The reader of documents: YAML, and a table of fields over it. */

#include "base/fields.h"
#include "tests/fuzz/target.h"

typedef struct Settings {
        int64_t nodes;
        bool keep;
        uint64_t timeout;
        int role;
        const YamlNode *dataset;
} Settings;

static const char *const roles[] = {"control", "agent", "client", NULL};
static const Field fields[] = {
        {"nodes", FIELD_INT, offsetof(Settings, nodes), .min = 1, .max = 100},
        {"keep", FIELD_BOOL, offsetof(Settings, keep)},
        {"timeout", FIELD_SPAN, offsetof(Settings, timeout)},
        {"role", FIELD_CHOICE, offsetof(Settings, role), .choices = roles},
        {"dataset", FIELD_NODE, offsetof(Settings, dataset)},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;
        Error error = ERROR_INIT;
        Settings settings = {};
        int r;

        r = yaml_parse("fuzz", (const char *)data, size, &document, &error);
        if (r == 0)
                r = fields_read(
                        document, yaml_root(document), fields, ELEMENTS(fields), &settings, &error);
        refused_well(r, &error);
        return 0;
}
