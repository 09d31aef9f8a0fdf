#include "template/build.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

Json *build_object_of(const BuildMember *members, size_t count)
{
        Json *object = json_new_object();
        int r = object ? 0 : -1;

        for (size_t i = 0; i < count; i++) {
                if (!members[i].key || r < 0) {
                        (void)json_free(members[i].value);
                        continue;
                }
                r = json_set(object, members[i].key, members[i].value);
        }
        return r < 0 ? json_free(object) : object;
}

Json *build_list_of(Json *const *elements, size_t count)
{
        Json *list = json_new_array();
        int r = list ? 0 : -1;

        for (size_t i = 0; i < count; i++) {
                if (r < 0)
                        (void)json_free(elements[i]);
                else
                        r = json_append(list, elements[i]);
        }
        return r < 0 ? json_free(list) : list;
}

Json *build_text(const char *text)
{
        return json_new_text(text);
}

static Json *format_list(const char *format, va_list arguments) _printf_(1, 0);
static Json *format_list(const char *format, va_list arguments)
{
        _cleanup_(free) char *text = NULL;

        if (vasprintf(&text, format, arguments) < 0) {
                text = NULL;
                return NULL;
        }
        return json_new_text(text);
}

Json *build_format(const char *format, ...)
{
        va_list arguments;
        Json *text;

        va_start(arguments, format);
        text = format_list(format, arguments);
        va_end(arguments);
        return text;
}

Json *build_ref(const char *name)
{
        return build_object({"Ref", build_text(name)});
}

Json *build_get_att(const char *name, const char *attribute)
{
        return build_object({"Fn::GetAtt", build_list(build_text(name), build_text(attribute))});
}

Json *build_sub(const char *text)
{
        return build_object({"Fn::Sub", build_text(text)});
}

Json *build_sub_format(const char *format, ...)
{
        va_list arguments;
        Json *text;

        va_start(arguments, format);
        text = format_list(format, arguments);
        va_end(arguments);
        return build_object({"Fn::Sub", text});
}

Json *build_if(const char *condition, Json *yes, Json *no)
{
        return build_object({"Fn::If", build_list(build_text(condition), yes, no)});
}

Json *build_no_value(void)
{
        return build_ref("AWS::NoValue");
}

Json *build_resource(const char *type, Json *properties)
{
        return build_object({"Type", build_text(type)}, {"Properties", properties});
}
