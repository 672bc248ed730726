#include "mime/html_text.h"

#include "base/text.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <libxml/HTMLparser.h>
#include <memory>

namespace vm::mime {

namespace {

// The parser looks through the open elements at every end tag.
constexpr int kDeepest = 500;
constexpr int kDeepestQuote = 10;

bool is_one_of(std::string_view name, const auto& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

constexpr std::array<std::string_view, 14> kInvisible{
    "head",   "script",   "style",  "title",    "template", "object", "iframe",
    "applet", "noframes", "select", "textarea", "audio",    "video",  "svg"};
constexpr std::array<std::string_view, 13> kParagraphs{
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table", "blockquote"};
constexpr std::array<std::string_view, 18> kLines{
    "div",     "li",     "tr",   "dt",  "dd",       "section", "article", "header", "footer",
    "address", "center", "form", "nav", "fieldset", "hr",      "main",    "aside",  "caption"};

std::string_view view(const xmlChar* text) {
    return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

std::string_view attribute(const xmlChar** attributes, std::string_view wanted) {
    for (; attributes != nullptr && *attributes != nullptr; attributes += 2)
        if (view(attributes[0]) == wanted) return view(attributes[1]);
    return {};
}

// Preview lines of newsletters are hidden so.
bool is_hidden(const xmlChar** attributes) {
    std::string style = to_lower(attribute(attributes, "style"));
    std::erase_if(style, [](char c) { return c == ' ' || c == '\t' || c == '\n'; });
    return style.find("display:none") != std::string::npos;
}

// Builds the text from what the parser reports. No tree is made.
class Writer {
  public:
    Writer(htmlParserCtxtPtr parser, std::size_t limit) : parser_(parser), limit_(limit) {}

    HtmlText result() && { return {std::move(text_), truncated_}; }

    void begin(std::string_view name, const xmlChar** attributes) {
        if (++depth_ > kDeepest) return stop();
        if (hidden_since_ == 0 && (is_one_of(name, kInvisible) || is_hidden(attributes)))
            hidden_since_ = depth_;
        if (hidden_since_ != 0) return;
        if (name == "br") breaks_ = std::min(breaks_ + 1, 2);
        if (name == "td" || name == "th") blank_ = true;
        if (name == "pre") ++preformatted_;
        separate(name);
        if (name == "blockquote") ++quotes_;
        if (name == "img") {
            blank_ = true;
            words(attribute(attributes, "alt"));
            blank_ = true;
        }
    }

    void end(std::string_view name) {
        const int level = depth_--;
        if (hidden_since_ != 0) {
            if (level <= hidden_since_) hidden_since_ = 0;
            return;
        }
        separate(name);
        if (name == "pre" && preformatted_ > 0) --preformatted_;
        if (name == "blockquote" && quotes_ > 0) --quotes_;
    }

    void words(std::string_view text) {
        if (hidden_since_ != 0 || truncated_) return;
        for (const char c : text) {
            if (c == '\n' && preformatted_ > 0)
                breaks_ = std::min(breaks_ + 1, 2);
            else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
                blank_ = true;
            else
                put(c);
        }
        if (text_.size() > limit_) stop();
    }

  private:
    void separate(std::string_view name) {
        if (is_one_of(name, kParagraphs)) breaks_ = 2;
        if (is_one_of(name, kLines)) breaks_ = std::max(breaks_, 1);
    }

    void put(char c) {
        const bool at_start = text_.empty() || breaks_ > 0;
        if (!text_.empty()) text_.append(static_cast<std::size_t>(breaks_), '\n');
        if (at_start)
            for (int i = 0; i < std::min(quotes_, kDeepestQuote); ++i) text_ += "> ";
        else if (blank_)
            text_ += ' ';
        breaks_ = 0;
        blank_ = false;
        text_ += c;
    }

    void stop() {
        truncated_ = true;
        text_.resize(utf8_prefix(text_, limit_).size());
        xmlStopParser(parser_);
    }

    htmlParserCtxtPtr parser_;
    std::size_t limit_;
    std::string text_;
    bool truncated_ = false;
    int depth_ = 0;
    int hidden_since_ = 0;  // the depth of the invisible element that is open; 0: none
    int quotes_ = 0, preformatted_ = 0;
    int breaks_ = 0;      // ends of lines before the next character
    bool blank_ = false;  // a blank before it
};

Writer& writer(void* user) {
    return *static_cast<Writer*>(user);
}

htmlSAXHandler handlers() {
    htmlSAXHandler handler{};
    handler.startElement = [](void* user, const xmlChar* name, const xmlChar** attributes) {
        writer(user).begin(view(name), attributes);
    };
    handler.endElement = [](void* user, const xmlChar* name) { writer(user).end(view(name)); };
    handler.characters = [](void* user, const xmlChar* text, int length) {
        writer(user).words({reinterpret_cast<const char*>(text), static_cast<std::size_t>(length)});
    };
    handler.ignorableWhitespace = handler.characters;
    return handler;
}

struct FreeParser {
    void operator()(htmlParserCtxtPtr parser) const {
        if (parser->myDoc != nullptr) xmlFreeDoc(parser->myDoc);
        htmlFreeParserCtxt(parser);
    }
};

}  // namespace

HtmlText html_text(std::string_view html, std::size_t limit) {
    const std::unique_ptr<htmlParserCtxt, FreeParser> parser(htmlNewParserCtxt());
    if (!parser) throw std::bad_alloc();
    Writer writer(parser.get(), limit);
    *parser->sax = handlers();
    parser->userData = &writer;
    html = html.substr(0, INT_MAX);
    (void)htmlCtxtReadMemory(parser.get(), html.data(), static_cast<int>(html.size()), nullptr,
                             "UTF-8",
                             HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                 HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC | HTML_PARSE_NODEFDTD);
    return std::move(writer).result();
}

}  // namespace vm::mime
