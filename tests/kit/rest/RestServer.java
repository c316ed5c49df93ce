import java.net.InetSocketAddress;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.rest.RESTCatalogAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;

/**
 * Serves Apache Iceberg's own REST catalog over its JdbcCatalog, on 127.0.0.1 only.
 *
 * <p>Arguments: the port, then the JdbcCatalog's properties as KEY=VALUE (uri, warehouse, io-impl, s3.endpoint, ...).
 */
public class RestServer {
  public static void main(String[] args) throws Exception {
    Map<String, String> properties =
        Stream.of(args).skip(1).map(pair -> pair.split("=", 2)).collect(Collectors.toMap(p -> p[0], p -> p[1]));
    properties.put("catalog-impl", "org.apache.iceberg.jdbc.JdbcCatalog");
    var catalog = CatalogUtil.buildIcebergCatalog("lakehouse", properties, new Configuration());
    var context = new ServletContextHandler();
    context.addServlet(new ServletHolder(new RESTCatalogServlet(new RESTCatalogAdapter(catalog))), "/*");
    var server = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])));
    server.setHandler(context);
    server.start();
    server.join();
  }
}
