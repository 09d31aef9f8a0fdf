#include "roles/step.h"

#include "base/text.h"
#include "roles/steps.h"

const StepTable *step_table(RoleKind kind)
{
        static const StepTable none = {};

        switch (kind) {
        case ROLE_CONTROL:
                return &step_table_control;
        case ROLE_AGENT:
                return &step_table_agent;
        case ROLE_CLIENT:
                return &step_table_client;
        case ROLE_NONE:
        case _ROLE_KINDS:
                break;
        }
        return &none;
}

const Step *step_find(const StepTable *table, const char *name)
{
        for (size_t i = 0; i < table->count; i++)
                if (text_equal(table->steps[i].name, name))
                        return &table->steps[i];
        return NULL;
}
