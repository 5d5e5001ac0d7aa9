#include "hit_ratio/trace_file.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

#ifdef KEYSPACE_HIT_RATIO_HAVE_ZLIB
#include <zlib.h>
#endif

namespace hit_ratio {
namespace {

using std::filesystem::path;

bool is_gzip(const path& file) { return file.extension() == ".gz"; }

// Returns a name without .gz.
path unzipped(const path& file) { return is_gzip(file) ? file.stem() : file.filename(); }

std::optional<Form> form_of(const path& file) {
  const path extension = unzipped(file).extension();
  if (extension == ".keys") return Form::kKeys;
  if (extension == ".lirs") return Form::kLirs;
  if (extension == ".arc") return Form::kArc;
  return std::nullopt;
}

#ifdef KEYSPACE_HIT_RATIO_HAVE_ZLIB

std::string unzip(const path& path) {
  const auto fail = [&] { throw std::runtime_error(path.string() + " cannot be read"); };
  const gzFile file = gzopen(path.string().c_str(), "rb");
  if (file == nullptr) fail();
  std::string text;
  std::string part(1 << 16, '\0');
  int size = 0;
  do {
    size = gzread(file, part.data(), static_cast<unsigned>(part.size()));
    if (size > 0) text.append(part, 0, static_cast<std::size_t>(size));
  } while (size > 0);
  // A file that ends too early is an error of gzclose_r().
  if (gzclose_r(file) != Z_OK || size < 0) fail();
  return text;
}

#else

std::string unzip(const path& path) {
  throw std::runtime_error(path.string() + " cannot be read without zlib");
}

#endif

}  // namespace

bool reads_gzip() {
#ifdef KEYSPACE_HIT_RATIO_HAVE_ZLIB
  return true;
#else
  return false;
#endif
}

Trace read_trace_file(const path& path, Form form) {
  Trace trace;
  if (is_gzip(path)) {
    std::istringstream text(unzip(path));
    trace = read_trace(text, form, path.string());
  } else {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path.string() + " cannot be opened");
    trace = read_trace(file, form, path.string());
  }
  trace.name = unzipped(path).stem().string();
  return trace;
}

std::vector<Trace> read_traces(const path& folder, std::ostream& messages) {
  std::vector<path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file() && form_of(entry.path())) files.push_back(entry.path());
  }
  if (const auto skipped = reads_gzip() ? 0 : std::erase_if(files, is_gzip)) {
    messages << skipped << " traces of " << folder.string()
             << " that end with .gz are skipped, because this program was built without zlib\n";
  }
  std::ranges::sort(files);
  std::vector<Trace> traces;
  for (const path& file : files) traces.push_back(read_trace_file(file, *form_of(file)));
  return traces;
}

}  // namespace hit_ratio
