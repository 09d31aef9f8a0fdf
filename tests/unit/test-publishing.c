/* Names and links of what is published, maps of images, and what Packer says. */

#include "tests/unit/test.h"

#include "base/text.h"
#include "template/packer-output.h"
#include "template/packer.h"
#include "template/publish.h"

#include <stdio.h>
#include <stdlib.h>

static void test_a_version_stands_before_the_ending(void **state)
{
        static const char *const keys[][2] = {
                {"flocker.json", "flocker-1.json"},
                {"a.b/flocker", "a.b/flocker-1"},
                {"t/flocker.template.json", "t/flocker-1.template.json"},
                {".hidden", ".hidden-1"},
                {"a/.json", "a/.json-1"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                _cleanup_(free) char *key = publish_versioned_key(keys[i][0], "1");

                assert_string_equal(key, keys[i][1]);
        }
}

static void test_each_partition_has_its_console(void **state)
{
        static const char *const regions[][2] = {
                {"eu-west-1", "https://eu-west-1.console.aws.amazon.com/cloudformation/"},
                {"cn-north-1", "https://cn-north-1.console.amazonaws.cn/cloudformation/"},
                {"us-gov-west-1", "https://console.amazonaws-us-gov.com/cloudformation/"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(regions); i++) {
                _cleanup_(free) char *link =
                        publish_quick_create(regions[i][0], "https://b.s3/a%20b?c=d&e", "mine");

                if (!text_starts(link, regions[i][1]))
                        assert_string_equal(link, regions[i][1]);
                if (!text_ends(link,
                            "?templateURL=https%3A%2F%2Fb.s3%2Fa%2520b%3Fc%3Dd%26e&stackName=mine"))
                        fail_msg("%s", link);
        }
}

static void test_a_map_is_written_sorted_and_read_again(void **state)
{
        static const char expected[] = "{\n"
                                       "  \"eu-west-1\": \"ami-0123456789abcdef1\",\n"
                                       "  \"us-east-1\": {\n"
                                       "    \"AMI\": \"ami-01234567\",\n"
                                       "    \"RootDeviceName\": \"/dev/xvda\"\n"
                                       "  }\n"
                                       "}\n";
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(IMAGE_MAP_SIZE_MAX);
        ImageMap map = {}, again = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(image_map_put(&map, "us-east-1", "ami-01234567", "/dev/xvda", &error), 0);
        assert_int_equal(
                image_map_put(&map, "eu-west-1", "ami-0123456789abcdef1", NULL, &error), 0);
        assert_int_equal(image_map_format(&map, &text), 0);
        assert_string_equal(buffer_text(&text), expected);
        assert_int_equal(
                image_map_parse("m", expected, strlen(expected), &again, &error), -EBADMSG);
        assert_says(&error, "the RootDeviceName of eu-west-1 is missing");
        assert_int_equal(
                image_map_put(&map, "eu-west-1", "ami-0123456789abcdef1", "/dev/sda1", &error), 0);
        buffer_clear(&text);
        assert_int_equal(image_map_format(&map, &text), 0);
        assert_int_equal(image_map_parse("m", buffer_text(&text), text.size, &again, &error), 0);
        assert_string_equal(again.entries[1].device, "/dev/xvda");

        assert_int_equal(image_map_put(&map, "us-east-1", "ami-x", NULL, &error), -EBADMSG);
        assert_says(&error, "found 'us-east-1', 'ami-x'");
        assert_int_equal(image_map_put(&map, "us-east-1", "ami-01234567", "sda", &error), -EBADMSG);
        assert_says(&error, "found 'us-east-1', 'ami-01234567', sda");
}

static void test_versions_are_compared_by_number(void **state)
{
        (void)state;
        assert_true(packer_compare_versions("1.6.6", "1.8.1") < 0);
        assert_true(packer_compare_versions("1.10.2", "1.8.1") > 0);
        assert_true(packer_compare_versions("1.8", "1.8.1") < 0);
        assert_true(packer_compare_versions("1.8.1-dev", "1.8.1") == 0);
        assert_true(packer_compare_versions("2", "1.99") > 0);
}

/* --- Packer's output --- */

static void read_lines(PackerOutput *output, const char *text)
{
        char line[4096];

        while (*text) {
                Error error = ERROR_INIT;
                size_t length = strcspn(text, "\n");

                (void)snprintf(line, sizeof(line), "%.*s", TEXT_PART(text, length));
                if (packer_output_read(output, line, &error) != 0)
                        fail_msg("%s", error.text);
                text += length + (text[length] == '\n');
        }
}

static void keep_said(const char *text, void *userdata)
{
        assert_int_equal(buffer_append_format(userdata, "%s\n", text), 0);
}

static void test_a_line_is_taken_apart(void **state)
{
        char text[] = "1795645504,two,artifact,0,file,0,/tmp/out%!(PACKER_COMMA) a\\nb,";
        char no_line[] = "a plugin that prints, to standard output, itself";
        PackerOutputLine line;

        (void)state;
        assert_int_equal(packer_output_parse_line(text, &line), 0);
        assert_string_equal(line.target, "two");
        assert_string_equal(line.type, "artifact");
        assert_int_equal(line.count, 5);
        assert_string_equal(line.words[3], "/tmp/out, a\nb");
        assert_string_equal(line.words[4], "");
        assert_int_equal(packer_output_parse_line(no_line, &line), -EBADMSG);
}

static void test_images_of_a_build_with_copies(void **state)
{
        _cleanup_(buffer_done) Buffer said = BUFFER_INIT(4096);
        PackerOutput output = {.say = keep_said, .userdata = &said};

        (void)state;
        read_lines(&output,
                "1,,ui,say,==> amazon-ebs: Creating AMI flocker%!(PACKER_COMMA) copies\n"
                "2,other,artifact,0,id,File\n"
                "3,amazon-ebs,artifact,0,id,us-west-1:ami-01234567%!(PACKER_COMMA)us-east-1:"
                "ami-0123456789abcdef0\n"
                "4,amazon-ebs,artifact,0,string,AMIs were created:\\nus-west-1: ami-01234567\n"
                "not of Packer\n");
        assert_int_equal(output.images.count, 2);
        assert_string_equal(image_map_get(&output.images, "us-west-1"), "ami-01234567");
        assert_string_equal(image_map_get(&output.images, "us-east-1"), "ami-0123456789abcdef0");
        assert_string_equal(buffer_text(&said),
                "==> amazon-ebs: Creating AMI flocker, copies\nnot of Packer\n");
        assert_string_equal(output.error.text, "");
}

static void test_an_image_that_is_none(void **state)
{
        char text[] = "3,amazon-ebs,artifact,0,id,us-west-1:ami-1%!(PACKER_COMMA)us-east-1";
        PackerOutput output = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(packer_output_read(&output, text, &error), -EBADMSG);
        assert_says(&error, "found 'us-west-1', 'ami-1'");
}

/* Recorded of Packer 1.6.6, with a provisioner that fails while another builder ends well. */
static void test_the_error_of_one_of_two_builds(void **state)
{
        PackerOutput output = {};

        (void)state;
        read_lines(&output,
                "1795645505,,ui,say,Build 'two' finished after 4 milliseconds 727 microseconds.\n"
                "1795645505,,ui,error,==> one: err%!(PACKER_COMMA) here\n"
                "1795645505,,ui,error,Build 'one' errored after 49 milliseconds: Script exited\n"
                "1795645505,,error-count,1\n"
                "1795645505,,ui,error,\\n==> Some builds didn't complete successfully and had "
                "errors:\n"
                "1795645505,one,error,Script exited with non-zero exit status: 3.Allowed exit "
                "codes are: [0]\n"
                "1795645505,two,artifact,0,id,File\n");
        assert_string_equal(output.build, "one");
        assert_string_equal(output.error.text, "err, here"); /* as the script said */
        assert_int_equal(output.images.count, 0);
}

static void test_a_builder_that_there_is_not(void **state)
{
        PackerOutput output = {};

        (void)state;
        read_lines(&output,
                "1795645506,,ui,error,Error: Failed to initialize build \"nope\"\\n\\nerror "
                "initializing builder 'nope': Unknown builder nope\\n\\n\n");
        assert_true(output.unknown_builder);
        assert_string_equal(output.error.text, "Failed to initialize build \"nope\"");
}

static void test_what_is_left_behind(void **state)
{
        PackerOutput output = {};

        (void)state;
        read_lines(&output,
                "1,,ui,say,==> a: Creating temporary keypair: packer_1\n"
                "1,,ui,say,==> b: Creating temporary keypair: packer_2\n"
                "1,,ui,say,==> a: Creating temporary security group for this instance: packer_3\n"
                "1,,ui,message,    a: Instance ID: i-1\n"
                "1,,ui,message,    b: Instance ID: i-2\n"
                "1,,ui,message,    a: AMI: ami-9\n"
                "1,,ui,message,    a: Copying to: eu-west-1\n"
                "1,,ui,message,    a: Copying to: us-east-1\n"
                "1,,ui,say,==> b: Terminating the source AWS instance...\n"
                "1,,ui,say,==> b: Deleting temporary keypair...\n"
                "1,,ui,say,==> a: Deleting temporary keypair...\n"
                "1,,ui,error,==> a: Error cleaning up keypair. Please delete the key manually: "
                "packer_1\n");
        assert_int_equal(output.n_left, 6);
        for (size_t i = 0; i < output.n_left; i++) {
                _cleanup_(free) char *remedy =
                        packer_output_remedy(&output.left[i], "us-west-1", "flocker-x");

                assert_string_equal(output.left[i].build, "a");
                assert_non_null(strstr(remedy, output.left[i].id));
        }
}

static void test_what_is_removed_is_not_left(void **state)
{
        PackerOutput output = {};

        (void)state;
        read_lines(&output,
                "1,,ui,say,==> a: Creating temporary keypair: packer_1\n"
                "1,,ui,message,    a: Instance ID: i-1\n"
                "1,,ui,say,==> a: Terminating the source AWS instance...\n"
                "1,,ui,say,==> a: Deleting temporary keypair...\n");
        assert_int_equal(output.n_left, 0);
}

TESTS_MAIN(cmocka_unit_test(test_a_version_stands_before_the_ending),
        cmocka_unit_test(test_each_partition_has_its_console),
        cmocka_unit_test(test_a_map_is_written_sorted_and_read_again),
        cmocka_unit_test(test_versions_are_compared_by_number),
        cmocka_unit_test(test_a_line_is_taken_apart),
        cmocka_unit_test(test_images_of_a_build_with_copies),
        cmocka_unit_test(test_an_image_that_is_none),
        cmocka_unit_test(test_the_error_of_one_of_two_builds),
        cmocka_unit_test(test_a_builder_that_there_is_not),
        cmocka_unit_test(test_what_is_left_behind),
        cmocka_unit_test(test_what_is_removed_is_not_left))
