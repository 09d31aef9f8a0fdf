#include "template/distribution.h"

#include "base/text.h"

#define UBUNTU "/aws/service/canonical/ubuntu/server/"
#define DEBIAN "/aws/service/debian/release/"

/* In the order of the names. */
static const Distribution distributions[] = {
        {"ubuntu-24.04",
                UBUNTU "24.04/stable/current/",
                "/hvm/ebs-gp3/ami-id",
                "ubuntu",
                "/dev/sda1"},
        {"ubuntu-22.04",
                UBUNTU "22.04/stable/current/",
                "/hvm/ebs-gp2/ami-id",
                "ubuntu",
                "/dev/sda1"},
        {"debian-13", DEBIAN "13/latest/", "", "admin", "/dev/xvda"},
        {"debian-12", DEBIAN "12/latest/", "", "admin", "/dev/xvda"},
};

const char *const distribution_names[] = {
        "ubuntu-24.04", "ubuntu-22.04", "debian-13", "debian-12", NULL};
const char *const distribution_architectures[] = {"amd64", "arm64", NULL};

_Static_assert(ELEMENTS(distributions) + 1 == ELEMENTS(distribution_names),
        "a name for each distribution");

const Distribution *distribution_get(int index)
{
        return &distributions[index];
}

char *distribution_parameter(const Distribution *distribution, const char *architecture)
{
        return text_format("%s%s%s", distribution->parameter, architecture, distribution->behind);
}
