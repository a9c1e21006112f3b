/// Writes `lib/src/codes.dart` from the tables of `docs/errors.md`, so that the client's constants are the
/// server's codes. Run it after a change there; `test/drift_test.dart` compares the two.
///
///     dart tool/codes.dart            # from clients/dart
library;

import 'dart:io';

void main() {
  final errors = File.fromUri(Platform.script.resolve('../../../docs/errors.md')).readAsStringSync();
  File.fromUri(Platform.script.resolve('../lib/src/codes.dart')).writeAsStringSync(codesSource(errors));
}

/// The rows of the table under [heading], each as its trimmed cells.
List<List<String>> tableRows(String markdown, String heading) {
  final section = markdown.split('\n## $heading\n').elementAt(1).split('\n## ').first;
  return [
    for (final line in section.split('\n'))
      if (line.startsWith('| `'))
        line.substring(1, line.lastIndexOf('|')).split('|').map((cell) => cell.trim()).toList(),
  ];
}

/// The code in the first cell of [row].
String codeOf(List<String> row) => row.first.replaceAll('`', '');

/// The text of `lib/src/codes.dart`.
String codesSource(String markdown) {
  final requests = tableRows(markdown, 'Requests');
  final pictures = tableRows(markdown, 'Pictures');
  final urls = tableRows(markdown, 'Source URLs');
  final jobs = tableRows(markdown, 'Jobs');
  return '''
// Written by tool/codes.dart from docs/errors.md. Do not edit.

/// The stable code of a refused request. A newer server may give others: compare, do not switch.
extension type const ProblemCode(String value) implements String {
${_constants('ProblemCode', [...requests, ...pictures.where((row) => row[1] != '–')])}}

/// The stable code of a failed job. A newer server may give others: compare, do not switch.
extension type const FailureCode(String value) implements String {
${_constants('FailureCode', [...pictures.where((row) => codeOf(row) != 'image_busy'), ...urls, ...jobs])}}
''';
}

String _constants(String type, List<List<String>> rows) {
  final out = StringBuffer();
  for (final row in rows) {
    final meaning = row[row.length - 2];
    final advice = row.last == '–' ? '' : ' ${row.last}';
    out
      ..writeln('  /// $meaning$advice')
      ..writeln("  static const ${_camel(codeOf(row))} = $type('${codeOf(row)}');\n");
  }
  out.writeln('  /// All codes that this version knows.');
  out.writeln('  static const known = [');
  for (final row in rows) {
    out.writeln('    ${_camel(codeOf(row))},');
  }
  out.writeln('  ];');
  return out.toString();
}

String _camel(String code) {
  final words = code.split('_');
  return words.first + words.skip(1).map((word) => word[0].toUpperCase() + word.substring(1)).join();
}
