#include "rehearsal/foreign.h"

#include "base/text.h"

static const struct {
        const char *start, *end; /* of the type's name; end NULL: start is all of it */
        const char *why;
} refused[] = {
        {"AWS::CloudFormation::Stack",
                NULL,
                "a nested stack is another template, which is not at hand; rehearse it alone"},
        {"AWS::CloudFormation::CustomResource",
                NULL,
                "a custom resource is made by a function that is not at hand"},
        {"Custom::", "", "a custom resource is made by a function that is not at hand"},
        {"AWS::CloudFormation::Macro", NULL, "macros are CloudFormation's own"},
        {"", "::MODULE", "modules are in an account's registry, which is not at hand"},
};

static const char *find_reason(const char *type)
{
        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (refused[i].end ? text_starts(type, refused[i].start) &&
                                             text_ends(type, refused[i].end)
                                   : text_equal(type, refused[i].start))
                        return refused[i].why;
        return NULL;
}

int foreign_check(const CfnTemplate *template, Error *ret_error)
{
        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];
                const char *why = find_reason(resource->type);

                if (why)
                        return yaml_refuse(template->document,
                                resource->key,
                                ret_error,
                                "%.60s is of type %.80s, which cannot be done here: %s",
                                resource->name,
                                resource->type,
                                why);
        }
        return 0;
}
