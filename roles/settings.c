#include "roles/settings.h"

#include <stdlib.h>

const char *const role_names[] = {"control", "agent", "client", NULL};
const char *const component_names[] = {"flocker", "docker", "swarm", NULL};
const char *const swarm_names[] = {"auto", "builtin", "classic", "none", NULL};

const char *role_kind_name(RoleKind kind)
{
        return kind > ROLE_NONE && kind < _ROLE_KINDS ? role_names[kind - 1] : "none";
}

void settings_done(Settings *settings)
{
        free(settings->cluster);
        free(settings->store);
        free(settings->swarm_image);
        free(settings->image_version);
        free(settings->login_user);
        free(settings->dataset_secret);
        free(settings->keys);
        free(settings->document_name);
        (void)secret_free(settings->signal);
        (void)yaml_document_free(settings->document);
        *settings = (Settings){};
}
