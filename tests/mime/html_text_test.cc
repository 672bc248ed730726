#include "mime/html_text.h"

#include "base/text.h"

#include <cppunit/extensions/HelperMacros.h>
#include <rapidcheck.h>

#include <string>

using vm::mime::html_text;

namespace {

std::string text(const std::string& html) {
    return html_text(html, 10'000).text;
}

class HtmlTextTest : public CppUnit::TestFixture {
    CPPUNIT_TEST_SUITE(HtmlTextTest);
    CPPUNIT_TEST(blocks_are_lines);
    CPPUNIT_TEST(blanks_are_folded);
    CPPUNIT_TEST(entities);
    CPPUNIT_TEST(links_and_pictures);
    CPPUNIT_TEST(what_is_not_seen);
    CPPUNIT_TEST(quotes);
    CPPUNIT_TEST(wrong_html);
    CPPUNIT_TEST(is_bounded);
    CPPUNIT_TEST(any_bytes_do_no_harm);
    CPPUNIT_TEST_SUITE_END();

    static void assert_text(const std::string& expected, const std::string& html) {
        CPPUNIT_ASSERT_EQUAL(expected, text(html));
    }

  public:
    void blocks_are_lines() {
        assert_text("Title\n\nOne\n\nTwo", "<h1>Title</h1><p>One<p>Two</p>");
        assert_text("a\nb\nc", "<div>a</div><div>b</div>c");
        assert_text("a\nb\n\nc", "a<br>b<br><br/><br>c");
        assert_text("x\n\none\ntwo\n\ny", "x<ul><li>one<li>two</ul>y");
        assert_text("a b\nc d", "<table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table>");
    }

    void blanks_are_folded() {
        assert_text("one two three", "<p>  one\n\t two <b> three</b> </p>\r\n");
        assert_text("in pre\nline", "<pre>in   pre\nline</pre>");
        assert_text("", "<p> </p>\n<div>\n</div>");
        assert_text("", "");
    }

    void entities() {
        assert_text("Grüße & <tags> “x” – ä 日",
                    "Gr&uuml;&szlig;e &amp; &lt;tags&gt; &ldquo;x&rdquo; "
                    "&ndash; &#228; &#x65E5;");
        assert_text("Grüße", "<meta charset='iso-8859-1'>Grüße");
        assert_text("&nosuch; &", "&nosuch; &");
    }

    void links_and_pictures() {
        assert_text("see the page now",
                    "see <a href='http://example.com/very/long'>the page</a> now");
        assert_text("a Logo b", "a<img src='http://example.com/x.png' alt='Logo'>b");
        assert_text("a b", "a<img src=x>b");
    }

    void what_is_not_seen() {
        assert_text("seen",
                    "<html><head><title>t</title><style>p {color: red}</style></head><body>"
                    "<script>if (a < b) alert('x')</script><!-- no -->"
                    "<div style='Display : none'>hidden <b>too</b></div>"
                    "<select><option>1</select><textarea>x</textarea>seen</body></html>");
        assert_text("a b", "a<img style='display:none' alt='no'> b");
    }

    void quotes() {
        assert_text("Yes.\n\nAnn wrote:\n\n> When?\n\n> > Old\n\n> More\n\nBye",
                    "<div>Yes.</div><p>Ann wrote:</p><blockquote type=cite>When?<blockquote>Old"
                    "</blockquote>More</blockquote>Bye");
    }

    void wrong_html() {
        assert_text("a b c", "<b>a <i>b</b> c</i>");
        assert_text("x", "</div></p><p>x");
        assert_text("a", "a<p");
        assert_text("cut", "<html><body><p>cut</p><div class=\"x");
    }

    void is_bounded() {
        const std::string html = "<p>" + std::string(1000, 'x') + "ää";
        const auto cut = html_text(html, 1001);
        CPPUNIT_ASSERT(cut.truncated);
        CPPUNIT_ASSERT_EQUAL(std::string(1000, 'x'), cut.text);
        CPPUNIT_ASSERT(!html_text(html, 1004).truncated);

        std::string deep = "start";
        for (int i = 0; i < 100'000; ++i) deep += "<div>";
        const auto stopped = html_text(deep + "end", 1000);
        CPPUNIT_ASSERT(stopped.truncated);
        CPPUNIT_ASSERT_EQUAL(std::string("start"), stopped.text);
        std::string quotes;
        for (int i = 0; i < 100; ++i) quotes += "<blockquote>";
        CPPUNIT_ASSERT_EQUAL(std::size_t{21}, text(quotes + "x").size());
    }

    void any_bytes_do_no_harm() {
        const auto piece = rc::gen::elementOf(std::vector<std::string>{"<",
                                                                       ">",
                                                                       "</",
                                                                       "<p>",
                                                                       "</p>",
                                                                       "<b",
                                                                       " style=display:none>",
                                                                       "<script>",
                                                                       "</script>",
                                                                       "&",
                                                                       "&#x0;",
                                                                       "&#128;",
                                                                       "&lt",
                                                                       "<!--",
                                                                       "-->",
                                                                       "<![CDATA[",
                                                                       "]]>",
                                                                       "ä",
                                                                       "\n",
                                                                       "<pre>",
                                                                       "<blockquote>",
                                                                       "</blockquote>",
                                                                       "<td>",
                                                                       "<head>",
                                                                       "<?x",

                                                                       "='",
                                                                       "\""});
        CPPUNIT_ASSERT(rc::check("any pieces of HTML", [&] {
            std::string html;
            for (const std::string& p : *rc::gen::container<std::vector<std::string>>(piece))
                html += p;
            const auto limit = *rc::gen::inRange<std::size_t>(0, 100);
            const auto out = html_text(html, limit);
            RC_ASSERT(out.text.size() <= limit || !out.truncated);
            RC_ASSERT(vm::is_utf8(out.text));
        }));
    }
};

CPPUNIT_TEST_SUITE_REGISTRATION(HtmlTextTest);

}  // namespace
