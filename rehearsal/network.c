#include "rehearsal/network.h"

#include "base/clock.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BRIDGE         "machines"
#define DEVICE         "eth0"
#define PREFIX_LENGTH  24
#define MESSAGE_MAX    1024U
#define ANSWER_SECONDS 5
#define MAC_LENGTH     6U

struct Network {
        int home_fd;   /* the namespace that this process was in before */
        int own_fd;    /* the one that it is in */
        int socket_fd; /* rtnetlink, within it */
        unsigned cables;
};

/* --- rtnetlink --- */

/* A request in the making: its header, the family's own, and attributes behind them. */
typedef struct Request {
        struct nlmsghdr header;
        char body[MESSAGE_MAX];
} Request;

static void *begin_request(Request *request, uint16_t type, uint16_t flags, size_t size)
{
        *request = (Request){
                .header =
                        {
                                .nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
                                .nlmsg_type = type,
                                .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
                                .nlmsg_seq = 1,
                        },
        };
        return request->body;
}

/* Requests are of this file alone and of a known size, far below MESSAGE_MAX. */
static struct rtattr *add(Request *request, uint16_t type, const void *data, size_t size)
{
        struct rtattr *attribute =
                (struct rtattr *)(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

        attribute->rta_type = type;
        attribute->rta_len = (uint16_t)RTA_LENGTH(size);
        if (size > 0)
                memcpy(RTA_DATA(attribute), data, size);
        request->header.nlmsg_len =
                (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
        return attribute;
}

static void add_text(Request *request, uint16_t type, const char *text)
{
        (void)add(request, type, text, strlen(text) + 1);
}

static void end_nest(const Request *request, struct rtattr *nest)
{
        const char *behind = (const char *)request + request->header.nlmsg_len;

        nest->rta_len = (uint16_t)(behind - (const char *)nest);
}

/* Sends it and waits for the kernel's answer: 0 or a negative errno. */
static int ask(int socket_fd, const Request *request)
{
        union {
                struct nlmsghdr header;
                char bytes[4096];
        } answer;
        const struct nlmsgerr *outcome;
        ssize_t size;

        if (send(socket_fd, request, request->header.nlmsg_len, 0) < 0)
                return -errno;
        size = recv(socket_fd, &answer, sizeof(answer), 0);
        if (size < 0)
                return -errno;
        if (!NLMSG_OK(&answer.header, (size_t)size) || answer.header.nlmsg_type != NLMSG_ERROR)
                return -EPROTO;
        outcome = NLMSG_DATA(&answer.header);
        return outcome->error;
}

/* In the namespace that this process is in now. */
static int open_socket(int *ret_fd)
{
        struct timeval limit = {.tv_sec = ANSWER_SECONDS};
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        *ret_fd = fd;
        return 0;
}

/* --- links, addresses, routes --- */

static int make_bridge(int socket_fd)
{
        Request request;
        struct rtattr *info;

        (void)begin_request(
                &request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
        add_text(&request, IFLA_IFNAME, BRIDGE);
        info = add(&request, IFLA_LINKINFO, NULL, 0);
        add_text(&request, IFLA_INFO_KIND, "bridge");
        end_nest(&request, info);
        return ask(socket_fd, &request);
}

/* A pair: `name` on the bridge here, DEVICE in the other namespace. */
static int make_cable(int socket_fd, const char *name, const uint8_t *mac, int namespace_fd)
{
        unsigned bridge = if_nametoindex(BRIDGE);
        Request request;
        struct rtattr *info, *data, *peer;

        (void)begin_request(
                &request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
        add_text(&request, IFLA_IFNAME, name);
        (void)add(&request, IFLA_MASTER, &bridge, sizeof(bridge));
        info = add(&request, IFLA_LINKINFO, NULL, 0);
        add_text(&request, IFLA_INFO_KIND, "veth");
        data = add(&request, IFLA_INFO_DATA, NULL, 0);
        peer = add(&request, VETH_INFO_PEER, NULL, 0);
        request.header.nlmsg_len += (uint32_t)sizeof(struct ifinfomsg); /* the peer's, all zero */
        add_text(&request, IFLA_IFNAME, DEVICE);
        (void)add(&request, IFLA_ADDRESS, mac, MAC_LENGTH);
        (void)add(&request, IFLA_NET_NS_FD, &namespace_fd, sizeof(namespace_fd));
        end_nest(&request, peer);
        end_nest(&request, data);
        end_nest(&request, info);
        return ask(socket_fd, &request);
}

static int change_link(int socket_fd, uint16_t type, const char *name, unsigned flags)
{
        Request request;
        struct ifinfomsg *link = begin_request(&request, type, 0, sizeof(*link));

        link->ifi_flags = flags;
        link->ifi_change = flags;
        add_text(&request, IFLA_IFNAME, name);
        return ask(socket_fd, &request);
}

/* The first device of a machine's namespace has the index that the kernel gives first behind lo;
 * it is asked by name from within. */
static int change_address(
        int socket_fd, uint16_t type, unsigned index, const char *address, unsigned char length)
{
        Request request;
        struct ifaddrmsg *message = begin_request(&request,
                type,
                type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0,
                sizeof(*message));
        struct in_addr number;

        if (inet_pton(AF_INET, address, &number) != 1)
                return -EINVAL;
        *message = (struct ifaddrmsg){
                .ifa_family = AF_INET, .ifa_prefixlen = length, .ifa_index = index};
        (void)add(&request, IFA_LOCAL, &number, sizeof(number));
        (void)add(&request, IFA_ADDRESS, &number, sizeof(number));
        return ask(socket_fd, &request);
}

static int add_default_route(int socket_fd)
{
        Request request;
        struct rtmsg *message = begin_request(
                &request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*message));
        struct in_addr gateway;

        (void)inet_pton(AF_INET, NETWORK_SERVICES, &gateway);
        *message = (struct rtmsg){
                .rtm_family = AF_INET,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = RT_SCOPE_UNIVERSE,
                .rtm_type = RTN_UNICAST,
        };
        (void)add(&request, RTA_GATEWAY, &gateway, sizeof(gateway));
        return ask(socket_fd, &request);
}

/* --- namespaces --- */

static int open_namespace(int *ret_fd)
{
        *ret_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        return *ret_fd < 0 ? -errno : 0;
}

static int fill_own(Network *network)
{
        static const struct {
                const char *text;
                unsigned char length;
        } addresses[] = {
                {NETWORK_SERVICES, PREFIX_LENGTH},
                {NETWORK_SIGNALS, PREFIX_LENGTH},
                {NETWORK_STORE, PREFIX_LENGTH},
                {NETWORK_METADATA, 32},
        };
        int r = open_namespace(&network->own_fd);

        if (r == 0)
                r = open_socket(&network->socket_fd);
        if (r == 0)
                r = change_link(network->socket_fd, RTM_NEWLINK, "lo", IFF_UP);
        if (r == 0)
                r = make_bridge(network->socket_fd);
        if (r == 0)
                r = change_link(network->socket_fd, RTM_NEWLINK, BRIDGE, IFF_UP);
        for (size_t i = 0; i < ELEMENTS(addresses) && r == 0; i++)
                r = change_address(network->socket_fd,
                        RTM_NEWADDR,
                        if_nametoindex(BRIDGE),
                        addresses[i].text,
                        addresses[i].length);
        return r;
}

int network_open(Network **ret, Error *ret_error)
{
        _cleanup_(network_free) Network *network = calloc(1, sizeof(*network));
        int r;

        if (!network)
                return error_set(ret_error, -ENOMEM, "cannot make the machines' network: %m");
        *network = (Network){.home_fd = -1, .own_fd = -1, .socket_fd = -1};
        r = open_namespace(&network->home_fd);
        if (r < 0)
                return error_set(ret_error, r, "cannot find this process's network: %m");
        if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
                mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return error_set(ret_error,
                        -errno,
                        "cannot make namespaces for the machines: %s",
                        errno == EPERM ? "it takes root" : strerrordesc_np(errno));
        r = fill_own(network);
        if (r < 0)
                return error_set(ret_error, r, "cannot make the machines' network: %m");
        *ret = TAKE_PTR(network);
        return 0;
}

Network *network_free(Network *network)
{
        if (!network)
                return NULL;
        close_p(&network->home_fd);
        close_p(&network->own_fd);
        close_p(&network->socket_fd);
        free(network);
        return NULL;
}

/* Back in the process's own namespace, or it must not go on. */
static void come_back(const Network *network)
{
        if (setns(network->own_fd, CLONE_NEWNET) < 0)
                abort();
}

int network_socket_outside(const Network *network, int *ret_fd)
{
        int fd, r;

        if (setns(network->home_fd, CLONE_NEWNET) < 0)
                return -errno;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = fd < 0 ? -errno : 0;
        come_back(network);
        if (r == 0)
                *ret_fd = fd;
        return r;
}

/* A new namespace and a socket in it. */
static int open_end(const Network *network, NetworkEnd *end)
{
        int r;

        if (unshare(CLONE_NEWNET) < 0)
                return -errno;
        r = open_namespace(&end->namespace_fd);
        if (r == 0)
                r = open_socket(&end->socket_fd);
        come_back(network);
        return r;
}

/* eth0's index, which only its own namespace can be asked for. */
static int find_index(const NetworkEnd *end, unsigned *ret)
{
        Request request;
        union {
                struct nlmsghdr header;
                char bytes[8192];
        } answer;
        ssize_t size;

        (void)begin_request(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
        request.header.nlmsg_flags = NLM_F_REQUEST;
        add_text(&request, IFLA_IFNAME, DEVICE);
        if (send(end->socket_fd, &request, request.header.nlmsg_len, 0) < 0)
                return -errno;
        size = recv(end->socket_fd, &answer, sizeof(answer), 0);
        if (size < 0)
                return -errno;
        if (!NLMSG_OK(&answer.header, (size_t)size) || answer.header.nlmsg_type != RTM_NEWLINK)
                return -ENODEV;
        *ret = (unsigned)((const struct ifinfomsg *)NLMSG_DATA(&answer.header))->ifi_index;
        return 0;
}

static int fill_end(Network *network, const char *address, NetworkEnd *end)
{
        uint8_t mac[MAC_LENGTH] = {2};
        unsigned index = 0;
        int r;

        if (inet_pton(AF_INET, address, mac + 2) != 1)
                return -EINVAL;
        r = make_cable(network->socket_fd, end->device, mac, end->namespace_fd);
        if (r == 0)
                r = change_link(network->socket_fd, RTM_NEWLINK, end->device, IFF_UP);
        if (r == 0)
                r = change_link(end->socket_fd, RTM_NEWLINK, "lo", IFF_UP);
        if (r == 0)
                r = change_link(end->socket_fd, RTM_NEWLINK, DEVICE, IFF_UP);
        if (r == 0)
                r = find_index(end, &index);
        if (r == 0)
                r = change_address(end->socket_fd, RTM_NEWADDR, index, address, PREFIX_LENGTH);
        return r < 0 ? r : add_default_route(end->socket_fd);
}

int network_attach(Network *network, const char *address, NetworkEnd *ret, Error *ret_error)
{
        NetworkEnd end = NETWORK_END_INIT;
        int r = open_end(network, &end);

        (void)snprintf(end.device, sizeof(end.device), "machine%u", network->cables++);
        if (r == 0)
                r = fill_end(network, address, &end);
        if (r < 0) {
                network_detach(network, &end);
                return error_set(ret_error, r, "cannot connect a machine at '%s': %m", address);
        }
        *ret = end;
        return 0;
}

int network_move(NetworkEnd *end, const char *from, const char *to, Error *ret_error)
{
        unsigned index = 0;
        int r = find_index(end, &index);

        if (r == 0) /* first: a second address of a network goes with the first */
                r = change_address(end->socket_fd, RTM_DELADDR, index, from, PREFIX_LENGTH);
        if (r == 0)
                r = change_address(end->socket_fd, RTM_NEWADDR, index, to, PREFIX_LENGTH);
        if (r == 0)
                r = add_default_route(end->socket_fd); /* so does the way out */
        return r < 0 ? error_set(ret_error, r, "cannot move '%s' to '%s': %m", from, to) : 0;
}

void network_detach(Network *network, NetworkEnd *end)
{
        if (end->namespace_fd >= 0)
                (void)change_link(network->socket_fd, RTM_DELLINK, end->device, 0);
        close_p(&end->socket_fd);
        close_p(&end->namespace_fd);
}
