/* Memory that runs out at any instant: each reader is run with its first, second, … allocation
 * failing (the linker hands us all calls of ours and of the libraries: --wrap, in meson.build). It
 * must refuse with -ENOMEM and a sentence, and leak nothing, which AddressSanitizer sees. jansson
 * takes some of its own failures for a fault of the text (-EBADMSG). */

#include "base/json.h"
#include "base/xml.h"
#include "base/yaml.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#define ALLOCATIONS_MAX 1000

static int left = -1; /* allocations that still succeed; -1: all */

static bool runs_out(void)
{
        if (left > 0)
                left--;
        return left == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
        return runs_out() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
        return runs_out() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
        return runs_out() ? NULL : __real_realloc(old, size);
}

void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
        return runs_out() ? NULL : __real_reallocarray(old, count, size);
}

char *__real_strndup(const char *text, size_t size);
char *__wrap_strndup(const char *text, size_t size);
char *__wrap_strndup(const char *text, size_t size)
{
        return runs_out() ? NULL : __real_strndup(text, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
        return runs_out() ? NULL : __real_strdup(text);
}

static int read_xml(Error *ret_error)
{
        static const char text[] = "<a><b x='1'>text</b><b/><c>more &amp; more</c></a>";
        _cleanup_(xml_free) XmlElement *root = NULL;

        return xml_parse("x", text, strlen(text), &root, ret_error);
}

static int read_empty_xml(Error *ret_error)
{
        _cleanup_(xml_free) XmlElement *root = NULL;

        return xml_parse("x", "<a/>", strlen("<a/>"), &root, ret_error);
}

static int read_yaml(Error *ret_error)
{
        static const char text[] = "a: &x [1, !t 'two', {b: c}]\nd: *x\ne: |\n  more\n";
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;

        return yaml_parse("x", text, strlen(text), &document, ret_error);
}

static int read_json(Error *ret_error)
{
        static const char text[] = "{\"a\": [1, 2.5, \"three\", {\"b\": null}], \"c\": \"d\"}";
        _cleanup_(json_free) Json *json = NULL;

        return json_parse("x", text, strlen(text), &json, ret_error);
}

static const struct {
        int (*read)(Error *ret_error);
        int code; /* beside -ENOMEM */
} readers[] = {
        {read_xml, -ENOMEM},
        {read_empty_xml, -ENOMEM},
        {read_yaml, -ENOMEM},
        {read_json, -EBADMSG},
};

static int read_with(size_t reader, int allocations)
{
        Error error = ERROR_INIT;
        int r;

        left = allocations;
        r = readers[reader].read(&error);
        left = -1;
        if (r == 0)
                return r;
        if (r != -ENOMEM && r != readers[reader].code)
                fail_msg("reader %zu, allocation %d: %d, %s", reader, allocations, r, error.text);
        assert_says(&error, "cannot read 'x': ");
        return r;
}

static void every_reader_survives_without_memory(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTS(readers); i++) {
                int n = 1;

                while (n < ALLOCATIONS_MAX && read_with(i, n) < 0)
                        n++;
                assert_in_range(n, 4, ALLOCATIONS_MAX - 1);
        }
}

TESTS_MAIN(cmocka_unit_test(every_reader_survives_without_memory))
