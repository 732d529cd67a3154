# The C++ compiler proper on headers of the standard library, with some of its templates in use.
PACKAGE=g++-12
cat >library.cc <<'END'
#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>
using table = std::map<std::string, std::vector<std::string>>;
table group(std::istream &in, const std::regex &pattern)
{
    table groups;
    for (std::string line; std::getline(in, line);) {
        std::smatch found;
        if (std::regex_search(line, found, pattern))
            groups[found[1]].push_back(found.suffix());
    }
    for (auto &[key, lines] : groups)
        std::sort(lines.begin(), lines.end(), std::greater<>());
    return groups;
}
END
PATH=$PATH:$(dirname "$(g++ -print-prog-name=cc1plus)")
record cc1plus -quiet -O1 -D_GNU_SOURCE -imultiarch x86_64-linux-gnu library.cc -o library.s
