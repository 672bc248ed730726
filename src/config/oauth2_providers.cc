#include "config/oauth2_providers.h"

#include "base/text.h"

#include <algorithm>

namespace vm::config {

namespace {

const std::vector<ProviderPreset>& presets() {
    static const std::vector<ProviderPreset> all{
        // developers.google.com/gmail/imap/xoauth2-protocol. Its device flow gives no scope for
        // mail, and its service accounts sign their requests, which is another grant.
        {OAuth2Provider::kGoogle,
         "https://oauth2.googleapis.com/token",
         "",
         "https://accounts.google.com/o/oauth2/v2/auth",
         "",
         "https://mail.google.com/",
         "https://mail.google.com/",
         "https://mail.google.com/",
         "",
         "",
         {{"Smtp Server", "smtp.gmail.com"},
          {"Smtp Port", "465"},
          {"Smtp SSL", "Yes"},
          {"Smtp Authentication", "XOAuth2"},
          {"Imap4 Server", "imap.gmail.com"},
          {"Imap4 Port", "993"},
          {"Imap4 SSL", "Yes"},
          {"Imap4 Authentication", "XOAuth2"},
          {"Pop3 Server", "pop.gmail.com"},
          {"Pop3 Port", "995"},
          {"Pop3 SSL", "Yes"},
          {"Pop3 Authentication", "XOAuth2"}}},
        // learn.microsoft.com: "Authenticate an IMAP, POP or SMTP connection using OAuth".
        {OAuth2Provider::kMicrosoft,
         "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
         "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
         "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
         "common",
         "https://outlook.office.com/SMTP.Send",
         "https://outlook.office.com/IMAP.AccessAsUser.All",
         "https://outlook.office.com/POP.AccessAsUser.All",
         "offline_access",
         "https://outlook.office365.com/.default",
         {{"Smtp Server", "smtp.office365.com"},
          {"Smtp Port", "587"},
          {"Smtp SSL", "STARTTLS"},
          {"Smtp Authentication", "XOAuth2"},
          {"Imap4 Server", "outlook.office365.com"},
          {"Imap4 Port", "993"},
          {"Imap4 SSL", "Yes"},
          {"Imap4 Authentication", "XOAuth2"},
          {"Pop3 Server", "outlook.office365.com"},
          {"Pop3 Port", "995"},
          {"Pop3 SSL", "Yes"},
          {"Pop3 Authentication", "XOAuth2"}}},
    };
    return all;
}

constexpr std::pair<OAuth2Provider, std::string_view> kNames[] = {
    {OAuth2Provider::kNone, "None"},
    {OAuth2Provider::kGoogle, "Google"},
    {OAuth2Provider::kMicrosoft, "Microsoft"},
    {OAuth2Provider::kOther, "Other"}};

}  // namespace

const ProviderPreset* find_preset(OAuth2Provider provider) {
    const auto& all = presets();
    const auto found = std::find_if(all.begin(), all.end(), [&](const ProviderPreset& preset) {
        return preset.provider == provider;
    });
    return found == all.end() ? nullptr : &*found;
}

std::optional<OAuth2Provider> find_provider(std::string_view name) {
    for (const auto& [provider, known] : kNames)
        if (iequals(name, known)) return provider;
    return std::nullopt;
}

std::string_view name_of(OAuth2Provider provider) {
    for (const auto& [known, name] : kNames)
        if (known == provider) return name;
    return "None";
}

}  // namespace vm::config
